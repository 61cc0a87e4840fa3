/* examples/judge: a real server, real submissions, and what becomes of them. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import anyTest, { type ExecutionContext } from 'ava';
import WebSocket from 'ws';
import { descendants } from '#compiler/test/cli/run-farjit.js';

const SERVER = fileURLToPath(new URL('../../examples/judge/server.mjs', import.meta.url));

/** `npm run setup` installs it where it can. */
const hasClang = ((): boolean => {
  try {
    execFileSync('clang-14', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
const test = hasClang ? anyTest.serial : anyTest.skip;
if (!hasClang) anyTest('skipped without clang-14: apt-get install clang-14', (t) => t.pass());

let server: ChildProcess;
let url = '';
anyTest.before('the judge listens', async () => {
  if (!hasClang) return;
  server = spawn(process.execPath, [SERVER, '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: server.stdout ?? process.stdin });
  [url] = (await once(lines, 'line')) as [string];
});
anyTest.after.always('and is ended', () => server?.kill('SIGKILL'));

interface Judged {
  readonly state: string;
  readonly verdict: string;
  readonly message?: string;
  readonly diagnostics?: readonly { readonly line: number; readonly message: string }[];
  readonly cases?: readonly {
    readonly verdict: string;
    readonly report: { readonly peakMemoryBytes?: number; readonly userCpuMs?: number };
  }[];
}

async function post(submission: unknown): Promise<{ status: number; body: { id: string; error?: string } }> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(submission) });
  return { status: response.status, body: (await response.json()) as { id: string; error?: string } };
}

async function submit(t: ExecutionContext, source: string, more = {}): Promise<string> {
  const cases = [{ stdin: '2 3\n', stdout: '5\n' }];
  const { status, body } = await post({ source, cases, ...more });
  t.is(status, 202, body.error);
  return body.id;
}

async function judged(id: string): Promise<Judged> {
  for (;;) {
    const state = (await (await fetch(`${url}/${id}`)).json()) as Judged;
    if (state.state === 'judged') return state;
    await delay(20);
  }
}

const SUM =
  '#include <stdio.h>\nint main(void) { int a, b; scanf("%d %d", &a, &b); printf("%d\\n", a + b); }';

for (const [what, source, expected, more] of [
  ['a right answer', SUM, /^accepted$/, {}],
  [
    'a right answer in C++',
    '#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }',
    /^accepted$/,
    { language: 'c++' },
  ],
  ['a wrong answer', SUM.replace('a + b', 'a - b'), /^wrong answer$/, {}],
  [
    'a loop without end',
    'int main(void) { for (volatile int i = 0;; i++); }',
    /^time limit$/,
    { limits: { timeMs: 300 } },
  ],
  [
    'one that sleeps',
    '#include <unistd.h>\nint main(void) { for (;;) pause(); }',
    /^time limit$/,
    { limits: { timeMs: 300 } },
  ],
  [
    'too much memory',
    '#include <stdlib.h>\n#include <string.h>\nchar *volatile kept;\nint main(void) { for (;;) memset(kept = malloc(1 << 20), 1, 1 << 20); }',
    /^memory limit$/,
    { limits: { memoryMb: 32 } },
  ],
  ['a trap', 'int main(void) { return *(volatile int *)0; }', /^runtime error: SIGSEGV$/, {}],
  ['an exit code', 'int main(void) { return 3; }', /^runtime error: exit code 3$/, {}],
  ['a signal', '#include <stdlib.h>\nint main(void) { abort(); }', /^runtime error: SIGABRT$/, {}],
  [
    'too much output',
    '#include <stdio.h>\nint main(void) { for (;;) puts("more"); }',
    /^output limit$/,
    { limits: { outputKb: 4 } },
  ],
] as const)
  test(`the verdict on ${what}`, async (t) => {
    const { verdict, cases } = await judged(await submit(t, source, more));
    t.regex(verdict, expected);
    t.true((cases?.[0]?.report.peakMemoryBytes ?? 0) > 0);
  });

test('what does not compile is told with its place, and clang reads no file of the host', async (t) => {
  const wrong = await judged(await submit(t, 'int main(void) { return x; }'));
  t.is(wrong.verdict, 'compile error');
  t.like(wrong.diagnostics?.[0], { line: 1 });
  t.regex(wrong.diagnostics?.[0]?.message ?? '', /undeclared identifier 'x'/);
  const spy = await judged(await submit(t, '#include "/etc/passwd"\nint main(void) { return 0; }'));
  t.is(spy.verdict, 'compile error');
  t.notRegex(JSON.stringify(spy), /root:/);
  const noMain = await judged(await submit(t, 'int f(void) { return 0; }'));
  t.is(noMain.verdict, 'compile error');
  const undefinedName = await judged(await submit(t, 'int g(void); int main(void) { return g(); }'));
  t.is(undefinedName.verdict, 'compile error');
  t.regex(undefinedName.message ?? '', /\bg\b/);
});

test('a program is compiled once for all cases, which know nothing of each other, up to the first that fails', async (t) => {
  const source = `#include <stdio.h>
    static int runs;
    int main(void) { int a; scanf("%d", &a); printf("%d %d", a, ++runs); }`;
  const cases = ['1', '2', '3', '4'].map((stdin) => ({
    stdin,
    stdout: stdin === '3' ? '0 1' : `${stdin} 1`,
  }));
  const result = await judged(await submit(t, source, { cases }));
  t.deepEqual(
    result.cases?.map(({ verdict }) => verdict),
    ['accepted', 'accepted', 'wrong answer'],
  );
});

/** All that is told of a submission, until it is judged. */
async function live(id: string, onEvent: (event: Record<string, unknown>) => void = () => {}) {
  const socket = new WebSocket(`${url.replace('http:', 'ws:')}/${id}/live`);
  const events: Record<string, unknown>[] = [];
  socket.on('message', (data) => {
    const event = JSON.parse(String(data));
    events.push(event);
    onEvent(event);
  });
  await once(socket, 'close');
  return events;
}

test('output is told while the program runs, and all of it to those who come late', async (t) => {
  const source = `#include <stdio.h>
    #include <unistd.h>
    int main(void) { puts("first"); fflush(stdout); usleep(300000); puts("second"); }`;
  const id = await submit(t, source, { cases: [{ stdin: '', stdout: 'first second' }] });
  const heard: string[] = [];
  const events = await live(id, ({ text, state }) => heard.push(String(text ?? state)));
  const texts = (all: Record<string, unknown>[]) => all.flatMap(({ text }) => (text ? [text] : []));
  t.deepEqual(texts(events), ['first\n', 'second\n']);
  t.like(events.at(-1), { state: 'judged', verdict: 'accepted' });
  t.deepEqual(texts(await live(id)), ['first\n', 'second\n']);
});

test('an executor that is killed in the middle costs nothing but time', async (t) => {
  const source = `#include <stdio.h>
    #include <unistd.h>
    int main(void) { puts("begun"); fflush(stdout); usleep(700000); puts("done"); }`;
  const id = await submit(t, source, { cases: [{ stdin: '', stdout: 'begun done' }] });
  let killed = 0;
  const events = await live(id, ({ text }) => {
    if (text !== 'begun\n' || killed > 0) return;
    killed++;
    void executorsOf(server.pid ?? 0).then((executors) => {
      for (const executor of executors) process.kill(executor, 'SIGKILL');
    });
  });
  t.is(killed, 1);
  t.deepEqual(
    events.flatMap(({ attempt }) => (attempt ? [attempt] : [])),
    [1, 2],
  );
  t.like(events.at(-1), { state: 'judged', verdict: 'accepted' });
});

async function executorsOf(processId: number): Promise<number[]> {
  const all = await descendants(processId);
  return all.filter((each) => {
    try {
      return readFileSync(`/proc/${each}/cmdline`, 'utf8').includes('farjit-executor.js');
    } catch {
      return false;
    }
  });
}

test('many submissions at once wait for each other, and all are judged', async (t) => {
  const ids = await Promise.all(Array.from({ length: 6 }, () => submit(t, SUM)));
  const verdicts = await Promise.all(ids.map(async (id) => (await judged(id)).verdict));
  t.deepEqual(new Set(verdicts), new Set(['accepted']));
});

test('what is no submission is refused, and what nobody has made is not there', async (t) => {
  for (const wrong of [
    null,
    {},
    { source: '' },
    { source: '', cases: [] },
    { source: '', language: 'java', cases: [{ stdin: '', stdout: '' }] },
    { source: '', cases: [{ stdin: '', stdout: '' }], limits: { timeMs: -1 } },
  ]) {
    const { status, body } = await post(wrong);
    t.is(status, 400, JSON.stringify(wrong));
    t.truthy(body.error);
  }
  t.is((await fetch(`${url}/nothing`)).status, 404);
  t.is((await fetch(url)).status, 405);
  t.is((await fetch(url, { method: 'POST', body: 'x'.repeat(2 ** 21) })).status, 413);
});
