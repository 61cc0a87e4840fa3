import { chmod, mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { ENDLESS, farjit, folderWith, runProgram } from './run-farjit.js';

test.serial('after a syntax error anywhere nothing runs, and all errors are shown', async (t) => {
  const program = 'extern printd(x);\nprintd(1);\n\tdef f(x) (x;\n1 + 2;\ndef g(y y) y;\n';
  t.deepEqual(await runProgram(t, program), {
    stdout: '',
    stderr: `program.ks:3:13: error: expected ')' after the expression, found ';'
\tdef f(x) (x;
\t           ^
program.ks:5:9: error: invalid redefinition of parameter 'y'
def g(y y) y;
        ^
`,
    end: 1,
  });
});

test.serial('a program that cannot be read is an error that names it', async (t) => {
  const cwd = await folderWith(t);
  await mkdir(join(cwd, 'folder'));
  t.deepEqual(await farjit(t, ['run', 'no\u001b[31m.ks'], { cwd }), {
    stdout: '',
    stderr: 'farjit: error: cannot read no\\u{1b}[31m.ks: no such file or directory\n',
    end: 1,
  });
  const folder = await farjit(t, ['run', 'folder'], { cwd });
  t.deepEqual([folder.stderr, folder.end], ['farjit: error: cannot read folder: it is a directory\n', 1]);
});

test.serial('a program without end, or too large, is an error before it takes all memory', async (t) => {
  const cwd = await folderWith(t);
  await writeFile(join(cwd, 'large.ks'), '');
  await truncate(join(cwd, 'large.ks'), 64 * 1024 * 1024 + 1);
  for (const path of ['/dev/zero', 'large.ks'])
    t.deepEqual(await farjit(t, ['run', path], { cwd }), {
      stdout: '',
      stderr: `farjit: error: cannot read ${path}: it has more than 67108864 bytes\n`,
      end: 1,
    });
});

const notRoot = process.getuid?.() === 0 ? test.serial.skip : test.serial;
notRoot('a program that may not be read is an error', async (t) => {
  const cwd = await folderWith(t, { 'secret.ks': '1;' });
  await chmod(join(cwd, 'secret.ks'), 0);
  const { stderr, end } = await farjit(t, ['run', 'secret.ks'], { cwd });
  t.deepEqual([stderr, end], ['farjit: error: cannot read secret.ks: permission denied\n', 1]);
});

test.serial('an expression that fails is reported at its place, and later ones run', async (t) => {
  const program = `1;
  missing(1) + 2;
3;
`;
  t.deepEqual(await runProgram(t, program), {
    stdout: 'Evaluated to 1.000000\nEvaluated to 3.000000\n',
    stderr: `program.ks:2:3: error: unknown function 'missing'
  missing(1) + 2;
  ^
`,
    end: 1,
  });
});

test.serial('a function that cannot be compiled is shown with the expression that called it', async (t) => {
  const program = `def inner(x) x + missing(x);
def outer(x) inner(x);
10 * outer(1);
def missing(x) 2*x;
10 * outer(1);
`;
  t.deepEqual(await runProgram(t, program), {
    stdout: 'Evaluated to 30.000000\n',
    stderr: `program.ks:3:1: error: 'inner' was called and cannot be compiled
10 * outer(1);
^
program.ks:1:18: error: unknown function 'missing'
def inner(x) x + missing(x);
                 ^
`,
    end: 1,
  });
});

test.serial('an extern that nobody has is an error, and the session goes on', async (t) => {
  const { stdout, stderr, end } = await runProgram(t, 'extern nobodyhasthis(x);\nnobodyhasthis(1);\n2;');
  t.deepEqual([stdout, end], ['Evaluated to 2.000000\n', 1]);
  t.regex(stderr, /^program\.ks:2:1: error: .*nobodyhasthis/);
});

test.serial('a stack overflow is reported with signal, function, address and backtrace', async (t) => {
  const program = `extern printd(x);
def deep(x) deep(x + 1) + 1;
def start(x) printd(x) + deep(x);
start(5);
start(6) < 1;
7;
`;
  const { stdout, stderr, end } = await runProgram(t, program);
  t.deepEqual([stdout, end], ['5.000000\n6.000000\nEvaluated to 7.000000\n', 1]);
  const report = (line: number, text: string) =>
    `program\\.ks:${line}:1: error: SIGSEGV in deep\\S*\\+0x[0-9a-f]+ \\(pc 0x[0-9a-f]+, stack overflow\\); the program had reached its limit stack=8M\n` +
    `${text}\n\\^\n` +
    '  in deep\\S*\\+0x[0-9a-f]+ \\(0x[0-9a-f]+\\)\n' +
    '  in deep\\S*\\+0x[0-9a-f]+ \\(0x[0-9a-f]+\\), \\d+ frames\n';
  t.regex(stderr, new RegExp(`^${report(4, 'start\\(5\\);')}${report(5, 'start\\(6\\) < 1;')}$`));
});

test.serial('exit and abort in the program end its runner, not what follows', async (t) => {
  const { stdout, stderr, end } = await runProgram(
    t,
    'extern exit(x);\nextern abort();\n1;\nexit(3);\nabort();\n2;',
  );
  t.deepEqual([stdout, end], ['Evaluated to 1.000000\nEvaluated to 2.000000\n', 1]);
  t.regex(
    stderr,
    /^program\.ks:4:1: error: the runner ended: the program called exit\(\d+\)\nexit\(3\);\n\^\nprogram\.ks:5:1: error: the runner ended: killed by SIGABRT\nabort\(\);\n\^\n$/,
  );
});

test.serial('--deadline ends an expression that runs too long', async (t) => {
  t.deepEqual(await runProgram(t, ENDLESS, ['--deadline', '500']), {
    stdout: '7.000000\nEvaluated to 8.000000\n',
    stderr: `program.ks:3:1: error: the expression did not return within 500 ms; its runner was ended
spin(7);
^
`,
    end: 1,
  });
});

test.serial('an executor that is not there is an error that names its address', async (t) => {
  const cwd = await folderWith(t, { 'program.ks': '1;' });
  for (const [url, words] of [
    ['ws+unix:/nowhere/socket', /^farjit: error: cannot reach an executor at ws\+unix:\/nowhere\/socket: /],
    ['ws://127.0.0.1:1', /^farjit: error: cannot reach an executor at ws:\/\/127\.0\.0\.1:1: /],
    ['tcp:1', /^farjit: error: tcp:1 is no executor address; use /],
  ] as const) {
    const { stdout, stderr, end } = await farjit(t, ['run', '--executor', url, 'program.ks'], { cwd });
    t.deepEqual([stdout, end], ['', 1]);
    t.regex(stderr, words);
  }
});
