import { spawnSync } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { descendants, eventually, FARJIT, folderWith, gone, type Running, start } from './run-farjit.js';

/** util-linux's script runs a command on a pseudo-terminal; Debian always has it. */
const hasScript = spawnSync('script', ['--version']).status === 0;
const onTerminal = hasScript ? test.serial : test.serial.skip;

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_G = '\u0007';
const CTRL_R = '\u0012';
const CTRL_U = '\u0015';
const CTRL_SPACE = '\0';
const TAB = '\t';
const UP = '\u001b[A';
const DOWN = '\u001b[B';
const RIGHT = '\u001b[C';
const PROMPT = 'ready> ';

interface Terminal extends Running {
  /** Waits until the terminal shows the text after all that was waited for before. */
  shows(text: string): Promise<void>;
  /** Waits for the prompt, then types. */
  type(keys: string, prompt?: string): Promise<void>;
  /** All that was shown, without what moves the cursor. */
  readonly screen: () => string;
}

/** A REPL on a pseudo-terminal. */
async function startOnTerminal(
  t: ExecutionContext,
  env: Record<string, string> & { XDG_STATE_HOME: string },
): Promise<Terminal> {
  // A shell in between would take Ctrl-C for itself too.
  const repl = `exec '${FARJIT}' repl`;
  const command = ['script', '--quiet', '--flush', '--return', '--command', repl];
  const running = start(t, ['/dev/null'], { command, env: { TERM: 'xterm', SHELL: '/bin/sh', ...env } });
  const screen = () => stripVTControlCharacters(running.stdoutSoFar()).replaceAll('\r', '');
  let seen = 0;
  const shows = (text: string) =>
    eventually(() => {
      const at = screen().indexOf(text, seen);
      if (at >= 0) seen = at + text.length;
      return at >= 0;
    }, text).catch((error) => {
      throw new Error(`${error.message}; the screen shows ${JSON.stringify(screen())}`);
    });
  const type = async (keys: string, prompt = PROMPT) => {
    await shows(prompt);
    running.child.stdin.write(keys);
  };
  return { ...running, shows, type, screen };
}

onTerminal(
  'it prompts, acknowledges definitions, goes on with incomplete input and ends at Ctrl-D',
  async (t) => {
    const { shows, type, finished } = await startOnTerminal(t, { XDG_STATE_HOME: await folderWith(t) });
    await shows(':help lists the commands');
    await type('extern sin(x)\r');
    await shows('declared sin(x)');
    await type('def add(x y)\r');
    await type('x + y\r', '...> ');
    await shows('defined add(x y)');
    await type('add(1, 2)\r');
    await shows('Evaluated to 3');
    await type('1 +\r');
    await type('\r', '...> ');
    await shows('(input dropped)');
    await type(')\r');
    await shows("<repl>:7:1: error: expected an expression, found ')'\n)\n^\n");
    await type(CTRL_D);
    t.is((await finished).end, 0);
  },
);

onTerminal(
  'Ctrl-C interrupts a running call; at the prompt it drops what was typed, and ends it when nothing was',
  async (t) => {
    const { shows, type, finished } = await startOnTerminal(t, { XDG_STATE_HOME: await folderWith(t) });
    await type('extern printd(x)\r');
    await type('def spin(x) for i = printd(x), 1 < 2 in x\r');
    await type('spin(7)\r');
    await type(CTRL_C, '7.000000\n');
    await shows('error: interrupted');
    await type(`nonsense )${CTRL_C}`);
    await shows('nonsense )^C\n');
    await type(`1 + 1\r`);
    await shows('Evaluated to 2');
    await type('def f(x)\r');
    await type(`${CTRL_C}`, '...> ');
    await shows('^C\n');
    await type(`3\r`);
    await shows('Evaluated to 3');
    await type(CTRL_C);
    await shows('(Ctrl-C again ends, as do Ctrl-D and :quit)');
    await type('4\r');
    await shows('Evaluated to 4');
    await type(CTRL_C);
    await shows('(Ctrl-C again ends, as do Ctrl-D and :quit)');
    await type(CTRL_C);
    t.is((await finished).end, 130);
  },
);

onTerminal(
  'Ctrl-D that was typed before the first prompt ends it there, after the lines before it',
  async (t) => {
    for (const [keys, shown] of [
      [CTRL_D, PROMPT],
      [`40 + 2\r${CTRL_D}`, 'Evaluated to 42'],
    ] as const) {
      const { child, shows, finished } = await startOnTerminal(t, { XDG_STATE_HOME: await folderWith(t) });
      // The terminal keeps it until somebody reads.
      child.stdin.write(keys);
      await shows(shown);
      t.is((await finished).end, 0);
    }
  },
);

onTerminal(
  'Ctrl-D that is typed while a call runs ends it after the call; Ctrl-Space is no Ctrl-D',
  async (t) => {
    const { type, shows, finished } = await startOnTerminal(t, { XDG_STATE_HOME: await folderWith(t) });
    await type('extern printd(x)\r');
    await type('def busy(x) for i = printd(x), i < 60000000 in x\r');
    // What has been echoed was read, and so what comes after it is not typed ahead.
    await type('a');
    await type('b', 'a');
    await type(`${CTRL_U}${CTRL_SPACE}`, 'b');
    await type('busy(7)\r', '');
    await type(CTRL_D, '7.000000\n');
    await shows('Evaluated to 0');
    t.is((await finished).end, 0);
  },
);

onTerminal('lines pasted together are all evaluated', async (t) => {
  const { shows, type, finished } = await startOnTerminal(t, { XDG_STATE_HOME: await folderWith(t) });
  await type('def f(x)\rx * 2\rf(1)\rf(2)\rf(3)\r');
  for (const value of [2, 4, 6]) await shows(`Evaluated to ${value}`);
  await type(CTRL_D);
  t.is((await finished).end, 0);
});

onTerminal('the history is kept between runs, for the owner alone', async (t) => {
  const folder = await folderWith(t);
  const first = await startOnTerminal(t, { XDG_STATE_HOME: folder });
  await first.type('40 + 2\r');
  await first.shows('Evaluated to 42');
  await first.type('7\r');
  await first.shows('Evaluated to 7');
  await first.type(CTRL_D);
  await first.finished;
  const path = join(folder, 'farjit', 'history');
  t.is(await readFile(path, 'utf8'), '40 + 2\n7\n');
  t.is((await stat(path)).mode & 0o777, 0o600);

  const second = await startOnTerminal(t, { XDG_STATE_HOME: folder });
  await second.type(`${UP}${UP}\r`);
  await second.shows('Evaluated to 42');
  await second.type(':quit\r');
  t.is((await second.finished).end, 0);
});

onTerminal('an entry of several lines is recalled as one, and can be changed', async (t) => {
  const folder = await folderWith(t);
  const first = await startOnTerminal(t, { XDG_STATE_HOME: folder });
  await first.type('def twice(x)\r');
  await first.type('  x * 2\r', '...> ');
  await first.shows('defined twice(x)');
  await first.type('7\r');
  await first.type(CTRL_D);
  await first.finished;
  t.is(await readFile(join(folder, 'farjit', 'history'), 'utf8'), 'def twice(x)\\n  x * 2\n7\n');

  const second = await startOnTerminal(t, { XDG_STATE_HOME: folder });
  await second.type(`${UP}${UP}`);
  await second.shows('def twice(x)\n  x * 2');
  await second.type('1\r', '');
  await second.shows('defined twice(x)');
  await second.type('twice(2)\r');
  await second.shows('Evaluated to 42');
  // Only entries that begin so, and back to what was typed.
  await second.type('def');
  await second.type(UP, 'def');
  await second.shows('def twice(x)\n  x * 21');
  await second.type(`${DOWN}(`, '');
  await second.shows('def(');
  await second.type(`${CTRL_C}`, '');
  await second.shows('^C');
  await second.type(CTRL_D);
  t.is((await second.finished).end, 0);
});

onTerminal('Ctrl-R finds an entry by a part of it, older ones too', async (t) => {
  const folder = await folderWith(t);
  const { type, shows, finished } = await startOnTerminal(t, { XDG_STATE_HOME: folder });
  for (const [line, value] of [
    ['10 + 1', 11],
    ['20 + 1', 21],
    ['30 * 2', 60],
  ] as const) {
    await type(`${line}\r`);
    await shows(`Evaluated to ${value}`);
  }
  await type(`kept${CTRL_R}`);
  await type('+ 1', '(search) ');
  await shows('→ 20 + 1');
  await type(CTRL_R, '');
  await shows('→ 10 + 1');
  await type('\r', '');
  await shows('ready> 10 + 1\n');
  await shows('Evaluated to 11');
  // To be changed, by an arrow.
  await type(CTRL_R);
  await type('30', '(search) ');
  await shows('→ 30 * 2');
  await type(`${RIGHT}0\r`, '');
  await shows('Evaluated to 600');
  // Given up, what was typed is there again; nothing found is said.
  await type(`4${CTRL_R}`);
  await type('nowhere', '(search) ');
  await shows('→ nothing');
  await type('\r', '');
  await shows('ready> 4');
  await type(`${CTRL_R}`, '');
  await type(CTRL_G, '(search) ');
  await type('2\r', 'ready> 4');
  await shows('Evaluated to 42');
  await type(CTRL_D);
  t.is((await finished).end, 0);
});

onTerminal('Ctrl-C twice ends it, whatever was typed', async (t) => {
  for (const keys of ['', 'half a line', 'def f(x)\r', `${CTRL_R}x`, ':c int f(void) {\r']) {
    const { type, shows, finished } = await startOnTerminal(t, { XDG_STATE_HOME: await folderWith(t) });
    await type(keys);
    if (keys.endsWith('\r')) await shows('...> ');
    else await shows(keys.replace(CTRL_R, '(search) '));
    await type(CTRL_C, '');
    await shows('^C');
    await type(CTRL_C);
    t.is((await finished).end, 130, JSON.stringify(keys));
  }
});

onTerminal('what is typed is coloured, and stays as it was typed', async (t) => {
  const env = { XDG_STATE_HOME: await folderWith(t), NO_COLOR: '' };
  const { type, shows, finished, stdoutSoFar } = await startOnTerminal(t, env);
  await type('def f(x) x + 12');
  await eventually(
    () => stdoutSoFar().includes('\u001b[34mdef\u001b[39m f(x) x + \u001b[33m12\u001b[39m'),
    'colours',
  );
  await type('3 # more', '');
  await eventually(() => stdoutSoFar().includes('\u001b[2m# more\u001b[22m'), 'a comment');
  await type('\r', '');
  await shows('defined f(x)');
  await type('f(1)\r');
  await shows('Evaluated to 124');
  await type(CTRL_D);
  await finished;
  const plain = await startOnTerminal(t, { ...env, NO_COLOR: '1' });
  await plain.type('def g(x) x\r');
  await plain.shows('defined g(x)');
  await plain.type(CTRL_D);
  await plain.finished;
  t.false(plain.stdoutSoFar().includes('\u001b[3'));
});

onTerminal('a history that cannot be written costs nothing else', async (t) => {
  const folder = await folderWith(t, { file: '' });
  const { shows, type, finished } = await startOnTerminal(t, { XDG_STATE_HOME: join(folder, 'file') });
  await type('1\r');
  await shows('Evaluated to 1');
  await type(CTRL_D);
  t.is((await finished).end, 0);
});

onTerminal('Tab completes commands, files, keywords and the names of functions', async (t) => {
  const state = await folderWith(t, { 'program.ks': '77\n' });
  const { shows, type, finished } = await startOnTerminal(t, { XDG_STATE_HOME: state });
  await type('def fibonacci(n) n * 3\r');
  await type('fib');
  await type(TAB, 'fib');
  await type('(2)\r', 'onacci');
  await shows('Evaluated to 6');
  await type(':he');
  await type(TAB, ':he');
  await type('\r', 'lp');
  await shows(':quit');
  await type(`:load ${state}/pro`);
  await type(TAB, '/pro');
  await type('\r', 'gram.ks');
  await shows('Evaluated to 77');
  await type('ext');
  await type(TAB, 'ext');
  await type(' sin(x)\r', 'ern');
  await shows('declared sin(x)');
  await type(CTRL_D);
  t.is((await finished).end, 0);
});

onTerminal('errors are red on a terminal, unless NO_COLOR is set', async (t) => {
  for (const [noColor, shown] of [
    ['', '\u001b[31m\u001b[1merror:'],
    ['1', '<repl>:1:1: error:'],
  ] as const) {
    const env = { XDG_STATE_HOME: await folderWith(t), NO_COLOR: noColor };
    const { shows, type, finished, stdoutSoFar } = await startOnTerminal(t, env);
    await type(')\r');
    await shows('error: expected an expression');
    t.true(stdoutSoFar().includes(shown));
    await type(CTRL_D);
    await finished;
  }
});

onTerminal('a terminal that goes away takes the REPL, its executor and its runner with it', async (t) => {
  const { child, type, shows, processId, finished } = await startOnTerminal(t, {
    XDG_STATE_HOME: await folderWith(t),
  });
  await type('extern printd(x)\r');
  await type('def spin(x) for i = printd(x), 1 < 2 in x\r');
  await type('spin(7)\r');
  await shows('7.000000\n');
  const processIds = await descendants(processId);
  t.true(processIds.length >= 3);
  child.kill('SIGKILL');
  await finished;
  await gone(processIds);
});
