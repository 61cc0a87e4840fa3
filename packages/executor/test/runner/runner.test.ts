import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { buildNative } from '../build-native.js';
import { CASES } from './cases.js';

const run = promisify(execFile);

// This file is dist/test/runner/*.js; make puts the binaries into dist/runner.
const runner = fileURLToPath(new URL('../../runner/farjit-runner', import.meta.url));
const driver = fileURLToPath(new URL('../../runner/runner-test-driver', import.meta.url));

test.before('the runner and its test driver are built', buildNative);

for (const name of CASES) {
  test(`runner: ${name.replaceAll('-', ' ')}`, async (t) => {
    // A failing check exits with 1 and says file, line and what was expected on stderr, which execFile rejects with.
    await t.notThrowsAsync(run(driver, [runner, name]));
  });
}

test('every case of the driver has a test', async (t) => {
  const { stdout } = await run(driver, ['--list']);
  t.deepEqual(stdout.trim().split('\n'), CASES);
});

test('a case that does not exist fails', async (t) => {
  await t.throwsAsync(run(driver, [runner, 'no-such-case']), { message: /no case no-such-case/ });
});

test('the runner says its version and layout, and what it is when started by hand', async (t) => {
  t.true(existsSync(runner));
  const version = await run(runner, ['--version']);
  t.regex(version.stdout, /^farjit-runner \d+\.\d+\.\d+, layout [0-9a-f]{8}\n$/);
  const byHand = await t.throwsAsync(run(runner, []));
  t.regex(byHand?.message ?? '', /start farjit-runner from farjit-executor/);
  const wrong = await t.throwsAsync<Error & { code: number }>(run(runner, ['--help-me']));
  t.is(wrong?.code, 64);
});
