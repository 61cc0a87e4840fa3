// node scripts/freeze-protocol.mjs N: keeps a copy of the protocol as it is now as version N in test/frozen. Done once, when the version is complete; test/versions.test.ts runs later releases against it.
import { existsSync } from 'node:fs';
import { build } from 'esbuild';
import { ROOT } from './lib/paths.mjs';
import { runScript, ScriptError, say } from './lib/report.mjs';

await runScript(async () => {
  const version = process.argv[2] ?? '';
  if (!/^\d+$/.test(version))
    throw new ScriptError('which version is it?', ['Usage: node scripts/freeze-protocol.mjs N']);
  const outfile = `${ROOT}test/frozen/protocol-${version}.mjs`;
  if (existsSync(outfile)) throw new ScriptError(`version ${version} is frozen: ${outfile} is there`);
  await build({
    stdin: {
      contents: `
        export { Connection } from './connection.js';
        export { RequestError, RemoteError } from './errors.js';
        export { commonFeatures, FEATURE_NAMES, PROTOCOL_VERSIONS } from './features.js';
        export { MESSAGES } from './messages/index.js';
        export * as indirection from './messages/indirection.js';
        export * as memory from './messages/memory.js';
        export * as run from './messages/run.js';
        export * as session from './messages/session.js';
        export * as symbols from './messages/symbols.js';
        export { createMemoryTransportPair } from './transport.js';
      `,
      resolveDir: `${ROOT}packages/protocol/dist/src`,
    },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // What is frozen is ours.
    external: ['msgpackr', 'valibot', 'ws'],
  });
  say(`wrote ${outfile}`);
});
