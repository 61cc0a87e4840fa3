import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { buildNative } from '../build-native.js';

const run = promisify(execFile);

// This file is dist/test/runner/*.js; make puts the binaries into dist/runner.
const runner = fileURLToPath(new URL('../../runner/farjit-runner', import.meta.url));
const driver = fileURLToPath(new URL('../../runner/runner-test-driver', import.meta.url));

/** Cases of the native driver: each starts a runner of its own and plays the host, machine code included. */
const cases = [
  'starts-maps-and-says-hello',
  'refuses-memory-that-is-not-sealed',
  'refuses-another-layout-version',
  'refuses-a-worker-before-confinement',
  'refuses-a-call-slot-that-does-not-exist',
  'runs-calls-one-after-the-other-on-one-worker',
  'takes-a-call-posted-before-its-worker-exists',
  'looks-up-own-symbols-then-the-c-library',
  'prints-before-it-reports-the-call-done',
  'exit-7-is-exit-status-7',
  'abort-is-sigabrt',
  'a-call-that-ends-its-thread-is-a-fault',
  'counts-the-threads-of-jitted-code',
  'threads-return-and-exit-as-usual',
  'ends-when-the-doorbell-closes',
  'dies-with-its-host',
  'synchronises-cores-on-the-hosts-word',
  'rings-once-for-counters-that-reach-their-threshold',
  'first-call-keeps-every-register',
  'reentry-keeps-errno',
  'eight-threads-block-on-one-trampoline-and-are-all-released',
  'different-trampolines-are-told-apart',
  'waits-for-a-slot-when-all-are-taken',
  'a-failed-callback-unwinds-nested-frames',
  'a-failed-callback-unwinds-through-the-c-library',
  'a-failed-callback-ends-just-its-foreign-thread',
  'ends-when-it-cannot-unwind',
  'finds-no-frame-that-was-taken-out',
  'a-thread-cancelled-in-a-callback-gives-its-slot-back',
  'a-thread-cancelled-asynchronously-in-a-callback-gives-its-slot-back',
  'a-thread-whose-signal-handler-exits-in-a-callback-gives-its-slot-back',
  'the-control-thread-runs-no-handlers',
  'a-counter-is-no-cancellation-point',
  'a-trap-of-a-cancelled-thread-ends-the-runner',
  'reports-a-segmentation-fault',
  'reports-a-write-to-code',
  'reports-a-division-by-zero',
  'reports-a-bus-error',
  'reports-an-illegal-instruction-with-all-registers',
  'reports-a-stack-overflow',
  'reports-the-caller-of-a-null-function',
  'reports-one-of-many-traps',
  'reports-a-trap-signal-that-code-sent-itself',
  'nothing-is-writable-and-executable',
  'code-and-constants-stay-read-only',
  'nothing-can-be-mapped-over-code-and-constants',
  'data-never-becomes-executable',
  'refuses-system-calls-with-their-errno',
  'memory-threads-time-and-output-work',
  'a-foreign-architecture-kills-the-process',
  'confinement-is-in-force',
  'refuses-every-system-call-that-is-not-listed',
  'refuses-operations-on-futexes-but-those-of-locks',
  'refuses-memory-that-is-not-private-and-plain',
  'refuses-threads-that-are-more-than-threads',
  'refuses-to-look-at-other-processes',
  'locks-clocks-and-attributes-of-libc-work',
  'landlock-takes-files-network-and-signals-away',
  'namespaces-are-its-own-and-its-root-is-empty',
];

test.before('the runner and its test driver are built', buildNative);

for (const name of cases) {
  test(`runner: ${name.replaceAll('-', ' ')}`, async (t) => {
    // A failing check exits with 1 and says file, line and what was expected on stderr, which execFile rejects with.
    await t.notThrowsAsync(run(driver, [runner, name]));
  });
}

test('every case of the driver has a test', async (t) => {
  const { stdout } = await run(driver, ['--list']);
  t.deepEqual(stdout.trim().split('\n'), cases);
});

test('a case that does not exist fails', async (t) => {
  await t.throwsAsync(run(driver, [runner, 'no-such-case']), { message: /no case no-such-case/ });
});

test('the runner says its version and layout, and what it is when started by hand', async (t) => {
  t.true(existsSync(runner));
  const version = await run(runner, ['--version']);
  t.regex(version.stdout, /^farjit-runner \d+\.\d+\.\d+, layout \d+\n$/);
  const byHand = await t.throwsAsync(run(runner, []));
  t.regex(byHand?.message ?? '', /start farjit-runner from farjit-executor/);
  const wrong = await t.throwsAsync<Error & { code: number }>(run(runner, ['--help-me']));
  t.is(wrong?.code, 64);
});
