import test from 'ava';
import { farjit, folderWith, start } from '#compiler/test/cli/run-farjit.js';
import { socketUrl, startExecutor, startExecutors } from './executor-process.js';
import { eventually } from './jit-fixture.js';

/** Prints its argument after so many steps, and is what comes out of them. */
const SLOW = `
extern printd(x);
def binary : 1 (a b) b;
def work(n) var s = 0.5 in (for i = 0, i < n in s = s * 0.999 + 1) : s;
def say(x n) printd(x) : work(n) : printd(x + 0.5) : x;
`;

async function runOn(
  t: Parameters<typeof start>[0],
  program: string,
  urls: readonly string[],
  args: readonly string[] = [],
) {
  const cwd = await folderWith(t, { 'program.ks': program });
  return start(t, ['run', 'program.ks', ...urls.flatMap((url) => ['--executor', url]), ...args], { cwd });
}

test('expressions run side by side, and what they print comes in program order', async (t) => {
  const executors = await startExecutors(t, 3);
  // The first takes longest; definitions are told to all.
  const counts = [30_000_000, 10, 5_000_000, 10, 10, 10];
  const program = `${SLOW}
    ${counts.map((n, index) => `say(${index}, ${n});`).join('\n')}
    def twice(x) x * 2;
    twice(4); twice(5); twice(6);
    def twice(x) x * 20;
    twice(4);`;
  const { finished } = await runOn(
    t,
    program,
    executors.map(({ url }) => url),
    ['--stats=json'],
  );
  const { stdout, stderr, end } = await finished;
  t.is(end, 0);
  const said = counts.flatMap((_, index) => [
    `${index}.000000`,
    `${index}.500000`,
    `Evaluated to ${index}.000000`,
  ]);
  const values = [8, 10, 12, 80].map((value) => `Evaluated to ${value}.000000`);
  t.deepEqual(stdout.trimEnd().split('\n'), [...said, ...values]);
  const statistics = JSON.parse(stderr) as {
    functionsCompiled: number;
    calls: number;
    executors: { statistics: { calls: number; functionsDefined: number } }[];
  };
  t.is(statistics.calls, 10);
  t.is(statistics.executors.length, 3);
  // Whoever had the slow one has done nothing else meanwhile.
  t.true(statistics.executors.every(({ statistics: own }) => own.calls >= 1 && own.functionsDefined === 5));
});

test('what leaves something behind in the process stays in one executor, in order', async (t) => {
  const executors = await startExecutors(t, 3);
  const program = `extern srand48(x); extern drand48(); extern sin(x);
    def draw() drand48();
    draw(); sin(0); draw(); sin(0); draw(); draw(); draw();`;
  const alone = await farjit(t, ['run', '-'], { input: program });
  const { child, finished } = start(t, ['run', '-', ...executors.flatMap(({ url }) => ['--executor', url])]);
  child.stdin.end(program);
  const { stdout, end } = await finished;
  t.is(end, 0);
  t.is(stdout, alone.stdout);
});

test('an expression whose executor is lost fails, and the others go on', async (t) => {
  const [victim, other] = await startExecutors(t, 2);
  if (!victim || !other) return t.fail();
  const program = `${SLOW}
    def spin(x) printd(x) : for i = 0, 1 in x;
    spin(7);
    ${Array.from({ length: 20 }, (_, index) => `say(${index}, 10);`).join('\n')}`;
  const { finished, printed } = await runOn(t, program, [victim.url, other.url]);
  await printed('stdout', '7.000000');
  victim.child.kill('SIGKILL');
  // Nobody resumes a session with an executor that is new there.
  await eventually(() => victim.child.signalCode !== null, 'it is gone');
  await startExecutor(t, victim.url);
  const { stdout, stderr, end } = await finished;
  t.is(end, 1);
  t.regex(stderr, /program\.ks:\d+:\d+: error: the executor is gone: /);
  t.regex(stderr, /going on without ws\+unix:/);
  const lines = stdout.trimEnd().split('\n');
  t.is(lines[0], '7.000000');
  t.deepEqual(
    lines.filter((line) => line.startsWith('Evaluated')),
    Array.from({ length: 20 }, (_, index) => `Evaluated to ${index}.000000`),
  );
});

test('errors come in program order too, and an interrupt ends all of it', async (t) => {
  const executors = await startExecutors(t, 2);
  const urls = executors.map(({ url }) => url);
  const failing = await (
    await runOn(t, `${SLOW} def bad(x) missing(x); say(1, 3000000); bad(2); say(3, 10);`, urls)
  ).finished;
  t.is(failing.end, 1);
  t.is(failing.stdout.match(/Evaluated/g)?.length, 2);
  t.regex(failing.stderr, /'bad' was called and cannot be compiled/);
  const spinning = await runOn(
    t,
    `${SLOW} def spin(x) printd(x) : for i = 0, 1 in x; spin(1); spin(2); 3;`,
    urls,
  );
  await spinning.printed('stdout', '1.000000');
  spinning.child.kill('SIGINT');
  const { stderr, stdout, end } = await spinning.finished;
  t.is(end, 130);
  t.regex(stderr, /^program\.ks:\d+:\d+: error: interrupted/);
  t.notRegex(stdout, /2\.0|Evaluated/);
});

test('an executor that is not there is remarked on, and none at all is an error', async (t) => {
  const [executor] = await startExecutors(t, 1);
  if (!executor) return t.fail();
  const nobody = socketUrl(t);
  const some = await (await runOn(t, '1 + 1;', [nobody, executor.url])).finished;
  t.is(some.end, 0);
  t.is(some.stdout, 'Evaluated to 2.000000\n');
  t.regex(some.stderr, /^farjit: warning: going on without ws\+unix:\S+: cannot reach an executor at /);
  const none = await (await runOn(t, '1 + 1;', [nobody, `${nobody}2`])).finished;
  t.is(none.end, 1);
  t.regex(none.stderr, /^farjit: error: no executor can be used:\n {2}cannot reach/);
  const recorded = await (await runOn(t, '1;', [nobody, executor.url], ['--record-calls', 'calls'])).finished;
  t.is(recorded.end, 1);
  t.regex(recorded.stderr, /--record-calls and --speculate-order go by the order of calls/);
});

test('an expression that prints much waits for its turn, and loses nothing', async (t) => {
  const executors = await startExecutors(t, 2);
  const program = `${SLOW}
    def chatter(n) for i = 0, i < n in printd(i);
    say(1, 300000000);
    chatter(400000);
    3;`;
  const { finished } = await runOn(
    t,
    program,
    executors.map(({ url }) => url),
  );
  const { stdout, end } = await finished;
  t.is(end, 0);
  const lines = stdout.trimEnd().split('\n');
  t.deepEqual(lines.slice(0, 4), ['1.000000', '1.500000', 'Evaluated to 1.000000', '0.000000']);
  t.is(lines.length, 3 + 400_001 + 2);
  t.is(lines.at(-1), 'Evaluated to 3.000000');
});
