import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { buildSanitized } from '../build-native.js';
import { CASES } from './cases.js';

/*
 * The runner's cases again, with a runner and a host that AddressSanitizer and UndefinedBehaviorSanitizer watch. They need
 * files, memory at fixed addresses and system calls that no confined runner has, so these runners are not confined.
 */

const run = promisify(execFile);
const built = (name: string) => fileURLToPath(new URL(`../../runner-sanitized/${name}`, import.meta.url));

/** Any exit status of a case's own is another one. */
const FOUND = 99;
const ENVIRONMENT = {
  ...process.env,
  // Traps are the runner's to handle, on stacks of its own. Its memory goes with it: nobody frees what lives as long.
  ASAN_OPTIONS: [
    ...['handle_segv=0', 'handle_sigbus=0', 'handle_sigill=0', 'handle_sigfpe=0', 'use_sigaltstack=0'],
    ...['detect_leaks=0', 'verify_asan_link_order=0', `exitcode=${FOUND}`],
  ].join(':'),
  UBSAN_OPTIONS: `print_stacktrace=1:exitcode=${FOUND}`,
};

/** What cannot be tried this way. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'a-call-that-ends-its-thread-is-a-fault':
    'AddressSanitizer takes the frames that pthread_exit leaves behind for ones that are there still',
  'a-block-of-before-moves-to-the-programs-heap':
    "AddressSanitizer's blocks are not where libc has its first ones",
  ...Object.fromEntries(
    [
      'code-and-constants-stay-read-only',
      'nothing-can-be-mapped-over-code-and-constants',
      'data-never-becomes-executable',
      'refuses-system-calls-with-their-errno',
      'a-foreign-architecture-kills-the-process',
      'confinement-is-in-force',
      'refuses-every-system-call-that-is-not-listed',
      'refuses-operations-on-futexes-but-those-of-locks',
      'refuses-memory-that-is-not-private-and-plain',
      'refuses-threads-that-are-more-than-threads',
      'refuses-to-look-at-other-processes',
      'locks-clocks-and-attributes-of-libc-work',
    ].map((name) => [name, 'it is about confinement']),
  ),
  ...Object.fromEntries(
    [
      'a-thread-cancelled-before-any-instruction-leaves-nothing-behind',
      'a-thread-cancelled-in-a-counter-has-rung-or-not',
    ].map((name) => [name, 'AddressSanitizer does work for a thread where it can be cancelled, too']),
  ),
  ...Object.fromEntries(
    [
      'names-the-limit-that-refuses-memory',
      'names-the-limit-that-refuses-a-little-memory',
      'names-the-limit-that-refuses-a-threads-stack',
      'ends-when-a-call-has-no-room-for-its-stack',
      'answers-errors-as-posix-does',
      'sets-limits-and-lifts-none',
      'gives-calls-stacks-of-whole-pages',
    ].map((name) => [name, 'AddressSanitizer needs memory without limits, and stacks of its own size']),
  ),
};

test.before('a runner and its test driver that are watched are built', buildSanitized);

for (const name of CASES.filter((name) => LEFT_OUT[name] === undefined))
  test(`runner, watched by sanitizers: ${name.replaceAll('-', ' ')}`, async (t) => {
    const args = ['--unconfined', built('farjit-runner'), name];
    await t.notThrowsAsync(run(built('runner-test-driver'), args, { env: ENVIRONMENT }));
  });

test('what is left out are cases that there are, with a reason', (t) => {
  for (const [name, reason] of Object.entries(LEFT_OUT)) {
    t.true(CASES.includes(name), name);
    t.not(reason, '');
  }
});
