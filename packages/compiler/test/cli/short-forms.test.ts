import test from 'ava';
import { farjit, folderWith, start } from './run-farjit.js';

test('a file, standard input and options stand for run', async (t) => {
  const cwd = await folderWith(t, { 'program.ks': '1;', program: '2;', run: '3;' });
  const printed = async (args: readonly string[], input = '') => {
    const { stdout, stderr, end } = await farjit(t, args, { cwd, input });
    t.deepEqual([stderr, end], ['', 0], args.join(' '));
    return stdout;
  };
  t.is(await printed(['program.ks']), 'Evaluated to 1.000000\n');
  t.is(await printed(['program']), 'Evaluated to 2.000000\n');
  t.is(await printed(['./run']), 'Evaluated to 3.000000\n');
  t.is(await printed(['-O1', 'program.ks']), 'Evaluated to 1.000000\n');
  t.is(await printed(['-'], '4;'), 'Evaluated to 4.000000\n');
  const missing = await farjit(t, ['missing.ks'], { cwd });
  t.is(missing.stderr, 'farjit: error: cannot read missing.ks: no such file or directory\n');
  const meant = await farjit(t, ['rum', 'program.ks'], { cwd });
  t.deepEqual([meant.stderr, meant.end], ["farjit: error: unknown command 'rum'\n(Did you mean run?)\n", 2]);
});

test('behind --, names of files may begin with a dash, and another one ends them', async (t) => {
  const cwd = await folderWith(t, {
    '-main.ll': 'define i32 @main(i32 %c, i8** %v) {\n ret i32 %c\n}\n',
    '-program.ks': '5;',
  });
  for (const [args, printed, end] of [
    [['--', '-program.ks'], 'Evaluated to 5.000000\n', 0],
    [['--', '-main.ll'], '', 1],
    [['--', '-main.ll', '--', '-a', '--'], '', 3],
    [['-O1', '--', '-main.ll', '--', 'b'], '', 2],
    [['run', '--', '-main.ll', '--'], '', 1],
  ] as const)
    t.deepEqual(await farjit(t, args, { cwd }), { stdout: printed, stderr: '', end }, args.join(' '));
  const none = await farjit(t, ['--', '--', 'a'], { cwd });
  t.deepEqual([none.stderr, none.end], ["farjit: error: missing required argument 'file'\n", 2]);
});

test('-e prints the values of what it evaluates, exactly', async (t) => {
  const evaluate = (...args: string[]) => farjit(t, args);
  t.deepEqual(await evaluate('-e', 'def f(x) x+1; f(41)'), { stdout: '42\n', stderr: '', end: 0 });
  t.is(
    (await evaluate('-e', 'def f(x) x * 0.1', '-e', 'f(3); f(0-1)')).stdout,
    '0.30000000000000004\n-0.1\n',
  );
  t.is((await evaluate('run', '-e', 'extern log(x); log(0); log(0-1);')).stdout, '-Infinity\nNaN\n');
  const wrong = await evaluate('-e', '1', '-e', '  nobody(2)');
  t.is(wrong.stderr, "<command line>:2:3: error: unknown function 'nobody'\n  nobody(2)\n  ^\n");
  t.deepEqual([wrong.stdout, wrong.end], ['1\n', 1]);
});

test('a Kaleidoscope program on the command line is linked with files', async (t) => {
  const cwd = await folderWith(t, {
    'twice.ll': 'define double @twice(double %x) {\n %y = fadd double %x, %x\n ret double %y\n}\n',
  });
  const { stdout, stderr } = await farjit(t, ['-e', 'extern twice(x); twice(21)', 'twice.ll'], { cwd });
  t.deepEqual([stdout, stderr], ['42\n', '']);
});

test('SIGTERM ends what -e evaluates', async (t) => {
  const running = start(t, ['-e', 'extern printd(x); def f(x) for i = printd(x), 1 < 2 in x; f(7)']);
  await running.printed('stdout', '7.000000\n');
  running.child.kill('SIGTERM');
  const { stderr, end } = await running.finished;
  t.is(end, 143);
  t.regex(stderr, /^<command line>:1:\d+: error: ended by SIGTERM\n/);
});
