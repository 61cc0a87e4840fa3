import { execFileSync } from 'node:child_process';
import { link, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import anyTest, { type ExecutionContext } from 'ava';
import { programFiles } from '../../src/cli/program-inputs.js';
import { findLibraries } from '../../src/cli/program-libraries.js';
import { compile } from '../jitlink/toolchain.js';
import { assemble } from '../llvm/assemble.js';
import { FARJIT, farjit, folderWith, start } from './run-farjit.js';

const test = anyTest.serial;
const hasClang = (process.env.PATH ?? '').split(':').some((directory) => {
  try {
    execFileSync(join(directory, 'clang-14'), ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
const withClang = hasClang ? test : anyTest.skip;
if (!hasClang) anyTest('some are skipped without clang-14: apt-get install clang-14', (t) => t.pass());

/** Compiled by gcc. */
async function folderOf(t: ExecutionContext, sources: Readonly<Record<string, string>>): Promise<string> {
  const folder = await folderWith(t);
  for (const [name, source] of Object.entries(sources))
    await writeFile(join(folder, name), compile(source, ['-O1', '-fPIC']));
  return folder;
}

const MAIN = `
#include <stdio.h>
#include <stdlib.h>
int add(int, int);
int main(int argc, char **argv) {
  for (int i = 0; i < argc; i++) printf("%s|", argv[i]);
  printf("%s|%s\\n", getenv("GIVEN"), getenv("HOME"));
  for (int c; (c = getchar()) != EOF; ) putchar(c);
  fputs("to standard error\\n", stderr);
  return add(argc, 40);
}`;

test('objects, archives and bitcode are linked, and main has arguments, environment and input', async (t) => {
  const cwd = await folderOf(t, {
    'main.o': MAIN,
    'add.o': 'int plus(int, int); int add(int a, int b) { return plus(a, b); }',
  });
  const plus = assemble('define i32 @plus(i32 %a, i32 %b) {\n  %c = add i32 %a, %b\n  ret i32 %c\n}');
  await writeFile(join(cwd, 'plus.bitcode'), plus);
  execFileSync('ar', ['rcs', 'libadd.a', 'add.o'], { cwd });
  const files = ['main.o', 'libadd.a', 'plus.bitcode'];
  t.deepEqual(
    await farjit(t, ['run', '--env=GIVEN=a b', ...files, '--', '--stats', 'two words'], {
      cwd,
      input: 'one\ntwo\n',
    }),
    { stdout: 'main.o|--stats|two words|a b|(null)\none\ntwo\n', stderr: 'to standard error\n', end: 43 },
  );
  const named = await farjit(t, ['run', '--env', 'HOME', ...files], { cwd, env: { HOME: '/home/there' } });
  t.is(named.stdout, 'main.o|(null)|/home/there\n');
});

test('arguments reach a program as bytes, and names and options that are not UTF-8 are refused', async (t) => {
  const cwd = await folderOf(t, {
    'main.o': `#include <stdio.h>
      int main(int argc, char **argv) { for (char *p = argv[1]; *p; p++) printf("%02x", *p & 255); puts(argv[2]); }`,
  });
  const inShell = (script: string) => {
    const { finished, child } = start(t, ['-c', script, FARJIT], { cwd, command: ['sh'] });
    child.stdin.end();
    return finished;
  };
  const escaped = (text: string) => `"$(printf '${text}')"`;
  t.deepEqual(await inShell(`"$0" run main.o -- ${escaped('\\377a\\351')} é�`), {
    stdout: 'ff61e9é�\n',
    stderr: '',
    end: 0,
  });
  for (const args of [`run ${escaped('\\351.o')}`, `run -- ${escaped('\\351.o')}`]) {
    const { stderr, end } = await inShell(`"$0" ${args}`);
    t.deepEqual(
      [stderr, end],
      ["farjit: error: argument '�.o' is not UTF-8, as names and options have to be\n", 2],
    );
  }
  const variable = await inShell(`A=${escaped('\\351')} exec "$0" run --env A main.o`);
  t.regex(variable.stderr, /argument 'A' is invalid\. Its value is not UTF-8/);
});

withClang('C, C++, assembly and LLVM assembly are known by their names, and linked', async (t) => {
  const cwd = await folderWith(t, {
    'main.c': `#include <stdio.h>
      #include "four.h"
      int one(void), two(void), three(void);
      int main(void) { printf("%d\\n", one() + two() + three() + FOUR); return NUMBER; }`,
    'four.h': '#define FOUR 4000\n',
    'one.cpp': '#include <string>\nextern "C" int one() { return std::stoi(std::string("1")); }',
    'two.s': '.globl two\n.type two,@function\ntwo: mov $20, %eax\n ret\n',
    'three.ll': 'define i32 @three() {\n  ret i32 300\n}\n',
  });
  t.deepEqual(
    await farjit(t, ['run', '--cflags=-Wall -DNUMBER=7', 'main.c', 'one.cpp', 'two.s', 'three.ll'], { cwd }),
    {
      stdout: '4321\n',
      stderr: '',
      end: 7,
    },
  );
});

withClang('what a source has wrong is said as its compiler says it, and nothing runs', async (t) => {
  const cwd = await folderWith(t, {
    'wrong.c': 'int main(void) { return y; }\n',
    'wrong.ll': 'define i32 @main( {\n',
  });
  const { stdout, stderr, end } = await farjit(t, ['run', 'wrong.c'], { cwd });
  t.deepEqual([stdout, end], ['', 1]);
  // How a line is shown is each clang's own.
  t.regex(stderr, /^wrong\.c:1:25: error: use of undeclared identifier 'y'\n.*return y;.*\n.*\^\n/);
  const assembly = await farjit(t, ['run', 'wrong.ll'], { cwd });
  t.regex(assembly.stderr, /^wrong\.ll:2:1: error: expected type/);
  t.is(assembly.end, 1);
});

test('the end of a program is the end of the command', async (t) => {
  const cwd = await folderOf(t, {
    'exit.o':
      '#include <stdlib.h>\n#include <stdio.h>\nvoid bye(void) { puts("bye"); } int main(void) { atexit(bye); printf("no newline, "); exit(9); }',
    'abort.o': '#include <stdlib.h>\nint main(void) { abort(); }',
    'trap.o': 'int main(void) { return *(volatile int *)16; }',
    'missing.o': 'int nowhere(void); int main(void) { return nowhere(); }',
    'endless.o': '#include <stdio.h>\nint start(void) { puts("begun"); fflush(stdout); for (;;) ; }',
  });
  t.deepEqual(await farjit(t, ['run', 'exit.o'], { cwd }), {
    stdout: 'no newline, bye\n',
    stderr: '',
    end: 9,
  });
  t.deepEqual(await farjit(t, ['run', 'abort.o'], { cwd }), {
    stdout: '',
    stderr: 'farjit: error: the program was ended by SIGABRT\n',
    end: 134,
  });
  const trap = await farjit(t, ['run', 'trap.o'], { cwd });
  t.regex(trap.stderr, /^farjit: error: SIGSEGV in main.*fault address 0x10\)\n {2}in main/);
  t.is(trap.end, 139);
  const missing = await farjit(t, ['run', 'missing.o'], { cwd });
  t.regex(missing.stderr, /^farjit: error: .*no definition of "nowhere"/);
  t.is(missing.end, 1);
  const noMain = await farjit(t, ['run', 'endless.o'], { cwd });
  t.is(
    noMain.stderr,
    'farjit: error: no file defines main, with which the program would begin: give one that does, or another --entry\n',
  );
  t.is(noMain.end, 1);
  await writeFile(join(cwd, 'empty.o'), '');
  const empty = await farjit(t, ['run', 'empty.o'], { cwd });
  t.deepEqual([empty.stderr, empty.end], ['farjit: error: cannot read empty.o: it is empty\n', 1]);
  await writeFile(join(cwd, 'empty.ll'), '');
  const emptyText = await farjit(t, ['run', 'empty.ll'], { cwd });
  t.regex(
    emptyText.stderr,
    /^farjit: error: no file defines main, .* \(empty\.ll is empty\): give one that does/,
  );
  const running = start(t, ['run', '--entry=start', 'endless.o'], { cwd });
  await running.printed('stdout', 'begun\n');
  running.child.kill('SIGINT');
  t.deepEqual(await running.finished, { stdout: 'begun\n', stderr: 'farjit: note: interrupted\n', end: 130 });
});

test('--report=json ends standard error with what the run has taken, whatever has ended it', async (t) => {
  const cwd = await folderOf(t, {
    'ends.o': `
      #include <stdio.h>
      int main(int c, char **v) { fputs("said\\n", stderr); puts("four"); return 5; }
      int spin(void) { for (volatile int i = 0;; i++); }`,
  });
  const reportOf = (stderr: string) => JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '');
  const run = await farjit(t, ['run', '--report=json', '--stats=json', 'ends.o'], { cwd });
  t.is(run.end, 5);
  t.is(run.stdout, 'four\n');
  const report = reportOf(run.stderr);
  t.like(report, { exitCode: 5, stdoutBytes: 5, stderrBytes: 5 });
  t.true(report.peakMemoryBytes > 1e6 && report.userCpuMs + report.systemCpuMs > 0);
  const late = await farjit(t, ['run', '--report=json', '--entry=spin', '--deadline=100', 'ends.o'], { cwd });
  t.is(late.end, 1);
  t.regex(late.stderr, /did not return within 100 ms/);
  t.deepEqual(reportOf(late.stderr).limit, { name: 'deadline', value: 100 });
  // Nothing has run.
  const none = await farjit(t, ['run', '--report=json', '--entry=nothing', 'ends.o'], { cwd });
  t.is(none.end, 1);
  t.notRegex(none.stderr, /wallMs/);
  const wrong = await farjit(t, ['run', '--report=xml', 'ends.o'], { cwd });
  t.is(wrong.end, 2);
  t.regex(wrong.stderr, /'xml' is invalid. Allowed choices are json/);
});

test('variables that the C library would share with a program, and does not see here, are named', async (t) => {
  const cwd = await folderOf(t, {
    'own.o': `
#include <stdio.h>
#include <unistd.h>
int optind = 2;
int main(int argc, char **argv) { printf("%d ", getopt(argc, argv, "a")); printf("%d\\n", optind); return 0; }`,
    'declared.o': `
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) { optind = 2; printf("%d ", getopt(argc, argv, "a")); printf("%d\\n", optind); return 0; }`,
  });
  t.deepEqual(await farjit(t, ['run', 'own.o', '--', 'x', '-a'], { cwd }), {
    stdout: '97 2\n',
    stderr:
      "farjit: warning: optind is the program's own, which getopt does not see here: declare it extern\n",
    end: 0,
  });
  t.deepEqual(await farjit(t, ['run', 'declared.o', '--', 'x', '-a', '-a'], { cwd }), {
    stdout: '97 3\n',
    stderr: '',
    end: 0,
  });
});

test('-l gives a program shared libraries and archives', async (t) => {
  const cwd = await folderOf(t, {
    'main.o': 'int shared(void), archived(void); int main(void) { return shared() * archived(); }',
    'archived.o': 'int archived(void) { return 6; }',
  });
  await writeFile(join(cwd, 'shared.c'), 'int shared(void) { return 7; }');
  execFileSync('gcc', ['-shared', '-fPIC', '-o', 'libshared.so', 'shared.c'], { cwd });
  execFileSync('ar', ['rcs', 'libarchived.a', 'archived.o'], { cwd });
  t.is((await farjit(t, ['run', 'main.o', '-L.', '-lshared', '-larchived', '-lm'], { cwd })).end, 42);
  const missing = await farjit(t, ['run', 'main.o', '-lnowhere'], { cwd });
  t.regex(
    missing.stderr,
    /^farjit: error: there is no libnowhere\.so and no libnowhere\.a in .*: say with -L where it is\n$/,
  );
  const found = findLibraries(['shared', 'archived', 'm', 'stdc++'], [cwd]);
  t.deepEqual(found.archives, [join(cwd, 'libarchived.a')]);
  t.deepEqual(found.preload[0], join(cwd, 'libshared.so'));
  t.true(found.preload.some((path) => /\/libstdc\+\+\.so\.6/.test(path)));
});

test('what a file is, its content says, then its name', async (t) => {
  const cwd = await folderWith(t, { 'a.ll': '', 'a.S': '', 'a.ks': '1;', a: '1;', 'empty.o': '' });
  await writeFile(join(cwd, 'object.c'), compile('int x;', []));
  await writeFile(join(cwd, 'archive'), '!<arch>\n');
  await writeFile(join(cwd, 'thin.ks'), '!<thin>\n');
  const kinds = (...names: string[]) =>
    programFiles(names.map((name) => join(cwd, name))).linked.map(({ kind }) => kind);
  t.deepEqual(kinds('a.ll', 'a.S', 'empty.o', 'object.c', 'archive', 'thin.ks', 'not-there.cpp'), [
    'assembly',
    'assembler-with-cpp',
    'object',
    'object',
    'archive',
    'archive',
    'c++',
  ]);
  t.deepEqual(kinds('a.ks', 'a'), []);
  t.deepEqual(programFiles(['-']), { linked: [], kaleidoscope: ['-'] });
});

test('Kaleidoscope is linked with files in other languages, which call it and are called', async (t) => {
  const cwd = await folderWith(t, {
    'a.ks': `extern hypot2(x y);
def sq(x) x * x;
hypot2(3, 4);
def sq(x) x + 1;
hypot2(3, 4);
extern count(x);
count(1);
started();
`,
    'b.c': `double sq(double);
double hypot2(double x, double y) { return sq(x) + sq(y); }
int count(int x) { return x; }`,
    'c.cpp': `#include <string>
struct Start { std::string text; Start() : text(12, 'x') {} } start;
extern "C" double started() { return start.text.size(); }`,
    'wrong.c': 'int x = y;',
  });
  const run = (...args: string[]) => farjit(t, ['run', ...args], { cwd });
  const { stdout, stderr, end } = await run('b.c', 'a.ks', 'c.cpp');
  t.is(stdout, 'Evaluated to 25.000000\nEvaluated to 9.000000\nEvaluated to 12.000000\n');
  t.regex(
    stderr,
    /^a\.ks:7:1: error: 'count' is i32\(i32\), and only functions of doubles are called from here\n/,
  );
  t.is(end, 1);
  const wrong = await run('a.ks', 'wrong.c');
  t.regex(wrong.stderr, /^wrong\.c:1:9: error: /);
  t.deepEqual([wrong.stdout, wrong.end], ['', 1]);
  const argument = await run('a.ks', 'b.c', '--', 'x');
  t.regex(argument.stderr, /-- is for programs that begin with main, and this one is Kaleidoscope/);
  t.is(argument.end, 2);
});

test('files that Kaleidoscope is linked with are initialised before it and finalised after it, members of archives too', async (t) => {
  const cwd = await folderOf(t, {
    'above.o': `#include <stdio.h>
      static double base;
      __attribute__((constructor)) static void up(void) { base = 100; puts("up"); }
      __attribute__((destructor)) static void down(void) { puts("down"); }
      double above(double x) { return base + x; }`,
  });
  await writeFile(join(cwd, 'a.ks'), 'extern above(x); above(1);');
  execFileSync('ar', ['rcs', 'libabove.a', 'above.o'], { cwd });
  const outcome = { stdout: 'up\nEvaluated to 101.000000\ndown\n', stderr: '', end: 0 };
  t.deepEqual(await farjit(t, ['run', 'a.ks', 'above.o'], { cwd }), outcome);
  t.deepEqual(await farjit(t, ['run', 'libabove.a', 'a.ks'], { cwd }), outcome);
});

test('arguments of programs are refused for Kaleidoscope, and Kaleidoscope beside a main', async (t) => {
  const cwd = await folderOf(t, { 'main.o': 'int main(void) { return 0; }' });
  await writeFile(join(cwd, 'a.ks'), '1;');
  const refused = async (...args: string[]) => {
    const { stdout, stderr, end } = await farjit(t, ['run', ...args], { cwd });
    t.is(stdout, '');
    return `${end} ${stderr}`;
  };
  t.is(
    await refused('a.ks', '--', 'argument'),
    '2 farjit: error: what stands behind -- is for programs that begin with main, and this one is Kaleidoscope\n',
  );
  t.regex(
    await refused('main.o', 'a.ks'),
    /^1 farjit: error: one of the files defines main, .* another is Kaleidoscope/,
  );
  const dashed = await folderWith(t, { '-odd.ks': '1;' });
  t.is((await farjit(t, ['run', '--', '-odd.ks'], { cwd: dashed })).stdout, 'Evaluated to 1.000000\n');
});

test('--file and --dir give a program files, which it reads, and folders, which what it writes comes back to', async (t) => {
  const cwd = await folderOf(t, {
    'copy.o': `#include <stdio.h>
      int main(int argc, char **argv) {
        FILE *from = fopen(argv[1], "r"), *to = fopen(argv[2], "w");
        if (!from || !to) return 1 + !from + 2 * !to;
        for (int c; (c = getc(from)) != EOF; ) { putchar(c); putc(c, to); }
        return fclose(to);
      }`,
  });
  await writeFile(join(cwd, 'in:put'), 'content\n');
  await mkdir(join(cwd, 'folder'));
  const run = (...args: string[]) => farjit(t, ['run', 'copy.o', ...args], { cwd });
  const given = ['--file=in:put:/in/a', '--dir', 'folder:/out:rw'];
  t.deepEqual(await run(...given, '--', '/in/a', '/out/b'), { stdout: 'content\n', stderr: '', end: 0 });
  t.is(await readFile(join(cwd, 'folder/b'), 'utf8'), 'content\n');
  t.deepEqual(await readdir(join(cwd, 'folder')), ['b']);
  await symlink('b', join(cwd, 'folder/link'));
  await rm(join(cwd, 'folder/b'));
  await link(join(cwd, 'copy.o'), join(cwd, 'folder/b'));
  const refused = await run(...given, '--', '/in/a', '/out/b');
  t.is(
    refused.stderr,
    'farjit: error: not written back: /out/b: it has other names here, which would keep what it was\n',
  );
  t.is(refused.end, 1);
  t.is((await run(...given, '--', '/in/a', '/in/b')).end, 3);
  t.is((await run('--dir=.:/d', '--', '/d/in:put', '/tmp/b')).stdout, 'content\n');
  t.is((await run('--', '/in/a', '/tmp/b')).end, 4);
  const missing = await run('--file=none:/a', '--', '/a', '/b');
  t.regex(
    missing.stderr,
    /^farjit: error: \/a cannot be given: ENOENT: no such file or directory, open 'none'\n$/,
  );
  t.is(missing.end, 1);
  t.regex((await run('--file=in:put:/a', '--dir=folder:/a')).stderr, /\/a is given twice/);
});
