// npm run lint: Biome's checks as a CI makes them (nothing is rewritten), gcc's analyzer over the C, what imports what,
// then the type check.
import { analyzeNative } from './lib/analyze-native.mjs';
import { compileTypeScript } from './lib/build.mjs';
import { checkDependencies } from './lib/check-dependencies.mjs';
import { BIN, ROOT } from './lib/paths.mjs';
import { runInForeground } from './lib/processes.mjs';
import { runScript } from './lib/report.mjs';
import { checkSharedLayout } from './lib/write-shared-layout.mjs';

await runScript(async () => {
  checkSharedLayout();
  const analysis = analyzeNative();
  const status = await runInForeground(
    `${BIN}biome`,
    ['ci', ...(process.stdout.isTTY ? [] : ['--colors=off']), '.'],
    { cwd: ROOT },
  );
  const imports = await checkDependencies();
  const found = await analysis;
  await compileTypeScript();
  return status || imports || found;
});
