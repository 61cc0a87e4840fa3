// npm run lint: Biome's checks as a CI makes them (nothing is rewritten), then the type check.
import { compileTypeScript } from './lib/build.mjs';
import { BIN, ROOT } from './lib/paths.mjs';
import { runInForeground } from './lib/processes.mjs';
import { runScript } from './lib/report.mjs';

await runScript(async () => {
  const status = await runInForeground(
    `${BIN}biome`,
    ['ci', ...(process.stdout.isTTY ? [] : ['--colors=off']), '.'],
    { cwd: ROOT },
  );
  await compileTypeScript();
  return status;
});
