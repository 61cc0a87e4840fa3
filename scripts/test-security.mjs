// npm run test:security [-- --short | --long]: what shows that the sandbox holds, in its long form, as this user and, for root, as
// an ordinary one. FARJIT_SECURITY=N does at most N rounds of anything. The table of system calls is in the output. The last line is `N passed, N failed`.
import { runAva } from './lib/ava.mjs';
import { summaryLine } from './lib/ava-output.mjs';
import { build } from './lib/build.mjs';
import { runScript, say } from './lib/report.mjs';
import { runAsUser, SECURITY_TESTS } from './lib/security-tests.mjs';
import { setUp } from './lib/set-up.mjs';

await runScript(async () => {
  await setUp('tests');
  await build();
  const isShort = process.argv.includes('--short');
  const args = process.argv.slice(2).filter((arg) => arg !== '--short' && arg !== '--long');
  const env = { FARJIT_SECURITY: isShort ? '' : 'long', ...process.env };
  say(`\ntests: the sandbox, as user ${process.getuid()}`);
  const counters = [await runAva(args.length > 0 ? args : SECURITY_TESTS, env)];
  const asUser = args.length > 0 ? undefined : await runAsUser(env, SECURITY_TESTS);
  if (asUser) counters.push(asUser);
  process.stdout.write(`${summaryLine(counters)}\n`);
  return counters.every(({ failed }) => failed === 0) ? 0 : 1;
});
