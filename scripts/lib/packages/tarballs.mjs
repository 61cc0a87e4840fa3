import { BIN } from '../paths.mjs';
import { output } from './installation.mjs';

/** What tools of others find wrong with the tarballs. The platform's package has programs, and no code that is imported. */
export async function checkTarballs(checks, packages) {
  for (const { name, tarball } of packages) {
    await checks.attempt(`publint: ${name}`, async () => {
      await output(`${BIN}publint`, ['run', '--strict', tarball]);
    });
    if (name === '@farjit/linux-x64-gnu') continue;
    await checks.attempt(`arethetypeswrong: ${name}`, async () => {
      // There is no CommonJS: what requires it needs a Node that requires modules.
      await output(`${BIN}attw`, ['--profile', 'esm-only', '--no-color', tarball]);
    });
  }
}
