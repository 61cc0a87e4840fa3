import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { output } from './installation.mjs';

const COMPILERS = ['5.9', 'latest'];
const MODULES = { nodenext: 'nodenext', bundler: 'esnext' };

/** Compiles a project against the packages' types, all of which are looked at, and without those of ws. */
export async function checkTypes(checks, project) {
  await output('npm', ['install', '--no-save', '--ignore-scripts', '@types/node@20'], { cwd: project });
  for (const version of COMPILERS) {
    const tools = join(project, `typescript-${version}`);
    mkdirSync(tools);
    await output('npm', ['install', '--prefix', tools, '--ignore-scripts', `typescript@${version}`], {
      cwd: tools,
    });
    for (const [moduleResolution, module] of Object.entries(MODULES)) {
      const compilerOptions = {
        ...{ module, moduleResolution, target: 'es2023', types: ['node'] },
        ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true },
      };
      const config = join(project, `tsconfig.${version}-${moduleResolution}.json`);
      writeFileSync(config, JSON.stringify({ compilerOptions, files: ['application.ts', 'types.ts'] }));
      const tsc = join(tools, 'node_modules/.bin/tsc');
      const installed = (await output(tsc, ['--version'])).trim();
      await checks.attempt(`types by TypeScript's ${installed} under ${moduleResolution}`, async () => {
        await output(tsc, ['-p', config], { cwd: project });
      });
    }
  }
}
