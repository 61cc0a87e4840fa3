// npm run docs [-- OPTIONS]: makes a site of docs/ and of the API's doc comments.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { BIN, ROOT } from './lib/paths.mjs';
import { run, runInForeground } from './lib/processes.mjs';
import { runScript, ScriptError, say, step } from './lib/report.mjs';
import { setUp } from './lib/set-up.mjs';

const USAGE = `npm run docs [-- OPTIONS]

Makes a site of the documents, which can be searched, with the reference of the API. It is a folder that any web server can
serve.

  --out FOLDER   where it is made (default: dist/site)
  --serve        serves it on 127.0.0.1 until Ctrl-C
  --port N       there (default: 4173)
  --no-api       leaves the reference out, which takes half of the time
  --help         says this
`;

await runScript(async () => {
  const options = optionsOf(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (!process.env.CI) await setUp();
  const out = resolve(ROOT, options.out ?? 'dist/site');
  const env = { ...process.env, FARJIT_DOCS_OUT: out };
  await step('docs: pages', () => run(`${BIN}vitepress`, ['build', 'docs'], { cwd: ROOT, env }));
  if (!options['no-api'])
    await step('docs: API', () => run(`${BIN}typedoc`, ['--out', `${out}/api`], { cwd: ROOT }));
  say(`docs: ${out}`);
  if (!options.serve) return 0;
  const where = ['preview', 'docs', '--host', '127.0.0.1', ...(options.port ? ['--port', options.port] : [])];
  return runInForeground(`${BIN}vitepress`, where, { cwd: ROOT, env });
});

function optionsOf(args) {
  try {
    return parseArgs({
      args,
      options: {
        out: { type: 'string' },
        serve: { type: 'boolean' },
        port: { type: 'string' },
        'no-api': { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new ScriptError(`npm run docs: ${error.message}`, ['npm run docs -- --help lists the options.']);
  }
}
