// More than 400 lines: cases that share what stands before them, each by itself.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { CCompilerError, CSourceError, JITPool, OldBitcodeError } from '@farjit/compiler';
import anyTest, { type ExecutionContext } from 'ava';
import { findLibLLVM } from '#compiler/src/llvm/find-libllvm.js';
import { openJIT } from './jit-fixture.js';

/** `npm run setup` installs it where it can. */
const hasClang = ((): boolean => {
  try {
    execFileSync('clang-14', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
const test = hasClang ? anyTest : anyTest.skip;
if (!hasClang) anyTest('skipped without clang-14: apt-get install clang-14', (t) => t.pass());

const INT = { result: 'i32', parameters: ['i32'] } as const;

function directoryOf(t: ExecutionContext, files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-c-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

test('C is compiled by clang and run, each function compiled by us at its first call', async (t) => {
  const { jit, printed } = await openJIT(t);
  await jit.addC(
    `#include <stdio.h>
     #include <string.h>
     static int calls;
     int twice(int x) { calls++; return 2 * x; }
     int say(int x) { printf("%s:%d %d %zu\\n", __FILE__, __LINE__, twice(x), strlen("four")); return calls; }`,
    { name: 'dir/say.c', flags: ['-std=c17', '-Wall'] },
  );
  t.is(jit.statistics().modulesCompiled, 0);
  // Signatures come with bitcode.
  t.is(await (await jit.lookup('say'))(21), 1);
  t.is(printed(), 'dir/say.c:5 42 4\n');
});

/** An integer of 128 bits holds the bit-fields: LLVM aligned those to 8 bytes until 17, which gives the struct 24, and to 16 since. */
const WIDE_STRUCT = 'struct S { unsigned long a : 40, b : 24, c : 40, d : 24; int f; };';
const WIDE_BIT_FIELDS = `${WIDE_STRUCT}
  static volatile int one = 1;
  static struct S given[3] = {{0}, {1, 2, 3, 4, 5}, {7, 8, 9, 10, 11}};
  long last(void) {
    struct S copy[3];
    __builtin_memcpy(copy, given, sizeof given);
    return sizeof(struct S) * 1000 + copy[one + 1].f * 10 + copy[one].a;
  }`;

test('wide bit-fields are where clang has put them, whichever LLVM compiles them', async (t) => {
  const { jit } = await openJIT(t);
  const last = async (name: string) => (await jit.lookup(name, 'i64()'))();
  const tracker = await jit.addC(WIDE_BIT_FIELDS, { name: 'wide.c' });
  t.is(await last('last'), 24_111n);
  tracker.remove();
  await jit.addC(
    `${WIDE_STRUCT} static struct S given[2] = {{0}, {1, 2, 3, 4, 5}}; int last(void) { return given[1].f; }`,
  );
  t.is(await (await jit.lookup('last', 'i32()'))(), 5);
});

const TO_BITCODE = '-c -emit-llvm -O1 -Xclang -disable-llvm-passes -fPIC - -o -'.split(' ');

/** Each has the struct in one place alone. */
const WIDE_PLACES = {
  'a variable': 'struct S place;',
  'an address in a variable': 'extern struct S given[]; int *place = &given[1].f;',
  'an address in a table': 'extern struct S given[]; struct { long a; int *b; } place = {1, &given[1].f};',
  'an address in code': 'extern struct S given[]; int place(void) { return given[1].f; }',
  'a computed address': 'int place(struct S *given, int at) { return given[at].f; }',
  'a local variable': 'void take(void *); void place(void) { struct S s; take(&s); }',
  'what is passed by value': 'void take(int, struct S); void place(struct S *s) { take(1, *s); }',
};

test('bitcode with wide bit-fields is refused where LLVM lays them out otherwise, wherever they are', async (t) => {
  const { jit } = await openJIT(t);
  const clang = ['-x', 'c', ...TO_BITCODE];
  for (const [what, code] of Object.entries(WIDE_PLACES)) {
    const bitcode = execFileSync('clang-14', clang, { input: `${WIDE_STRUCT} ${code}` });
    const added = jit.addIR(bitcode, { name: 'wide.bc' });
    if (findLibLLVM().majorVersion >= 18) {
      const error = await t.throwsAsync(added, { instanceOf: OldBitcodeError, code: 'OLD_BITCODE' }, what);
      t.regex(
        error.message,
        /^Cannot add module wide\.bc: clang 14 has laid out a type of \w+ otherwise than LLVM \d/,
      );
      t.deepEqual(jit.definedNames(), []);
    } else (await added).remove();
  }
  // An integer of 128 bits has its padding written out, and stays where it is.
  const aligned = 'struct T { char a; __int128 b; int c; }; static struct T given[2] = {{0}, {1, 2, 3}};';
  const bitcode = execFileSync('clang-14', clang, {
    input: `${aligned} int place(struct T *t) { return sizeof *t + given[1].c + (t ? t->c : 0); }`,
  });
  await jit.addIR(bitcode, { name: 'aligned.bc' });
  t.is(await (await jit.lookup('place', 'i32(ptr)'))(0n), 51);
});

const COROUTINES = `
  #include <coroutine>
  struct Chain {
    struct promise_type {
      Chain get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
      std::suspend_always initial_suspend() noexcept { return {}; }
      std::suspend_always final_suspend() noexcept { return {}; }
      void return_void() {}
      void unhandled_exception() { __builtin_trap(); }
    };
    std::coroutine_handle<promise_type> handle;
  };
  struct To {
    std::coroutine_handle<> next;
    bool await_ready() noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<>) noexcept { return next; }
    void await_resume() noexcept {}
  };
  static long count, left;
  struct Local { ~Local() { left++; } };
  Chain turn(std::coroutine_handle<> *other) { Local local; for (;;) { count++; if (count == 1000000) co_await To{std::noop_coroutine()}; co_await To{*other}; } }
  extern "C" long run() {
    std::coroutine_handle<> first, second;
    auto a = turn(&second), b = turn(&first);
    first = a.handle; second = b.handle;
    first.resume();
    first.destroy(); second.destroy();
    return count * 10 + left;
  }`;

test('coroutines of an older clang are what it has made of them', async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  for (const flags of [[], ['-fno-exceptions']]) {
    const tracker = await jit.addC(COROUTINES, { name: 'chain.cpp', flags: ['-std=c++20', ...flags] });
    t.is(await (await jit.lookup('run', 'i64()'))(), 10_000_002n, flags.join());
    tracker.remove();
    const clang = ['-std=c++20', ...flags, '-x', 'c++', ...TO_BITCODE];
    const bitcode = execFileSync('clang-14', clang, { input: COROUTINES });
    const added = jit.addIR(bitcode, { name: 'chain.bc' });
    if (findLibLLVM().majorVersion >= 19) {
      const error = await t.throwsAsync(added, { instanceOf: OldBitcodeError, code: 'OLD_BITCODE' });
      t.regex(
        error.message,
        /^Cannot add module chain\.bc: clang 14 has written its coroutines otherwise than LLVM \d/,
      );
      t.deepEqual(jit.definedNames(), []);
    } else {
      const module = await added;
      t.is(await (await jit.lookup('run', 'i64()'))(), 10_000_002n, flags.join());
      module.remove();
    }
  }
});

test('a pool takes wide bit-fields as one executor does', async (t) => {
  await using pool = await JITPool.connect(['local']);
  await pool.addC(WIDE_BIT_FIELDS, { name: 'wide.c' });
  t.is(await (await pool.lookup('last', 'i64()'))(), 24_111n);
});

test('C++ is compiled, with its headers', async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  await jit.addC(
    `#include <vector>
     #include <numeric>
     #include <stdexcept>
     extern "C" int sum(int n) {
       std::vector<int> v(n);
       std::iota(v.begin(), v.end(), 1);
       try { v.at(n); } catch (const std::out_of_range &) { return std::accumulate(v.begin(), v.end(), 0); }
       return -1;
     }`,
    { name: 'sum.cpp' },
  );
  t.is(await (await jit.lookup('sum'))(10), 55);
});

test('what is added is what was given, whatever becomes of the bytes', async (t) => {
  const compile = (source: string, ...options: string[]) =>
    execFileSync('clang-14', ['-x', 'c', '-fPIC', '-c', ...options, '-', '-o', '-'], { input: source });
  const member = compile('int archived(void) { return 4; }');
  const directory = directoryOf(t, {});
  writeFileSync(join(directory, 'member.o'), member);
  execFileSync('ar', ['rcs', 'lib.a', 'member.o'], { cwd: directory });
  const given = {
    addC: Buffer.from('int source(void) { return 1; }'),
    addIR: compile('int bitcode(void) { return 2; }', '-emit-llvm'),
    addObject: compile('int object(void) { return 3; }'),
    addArchive: readFileSync(join(directory, 'lib.a')),
  };
  const { jit } = await openJIT(t);
  await using pool = await JITPool.connect(['local']);
  for (const adder of [jit, pool]) {
    for (const [how, content] of Object.entries(given) as [keyof typeof given, Buffer][]) {
      const reused = Buffer.from(content);
      const added = adder[how](reused);
      reused.fill(0);
      await added;
    }
    const call = async (name: string) => (await adder.lookup(name, 'i32()'))();
    t.deepEqual(await Promise.all(['source', 'bitcode', 'object', 'archived'].map(call)), [1, 2, 3, 4]);
  }
});

test('bytes may be of another realm, as in test runners', async (t) => {
  const { jit } = await openJIT(t);
  const elsewhere = (content: Uint8Array): Uint8Array =>
    runInNewContext(`new Uint8Array([${[...content].join()}])`);
  const input = 'int main(int c, char **v) { return v[1][0] - getchar(); }';
  const source = `int getchar(void); ${input}`;
  const object = execFileSync('clang-14', ['-x', 'c', '-fPIC', '-c', '-', '-o', '-'], { input: 'int f;' });
  await jit.addC(elsewhere(Buffer.from(source)));
  await jit.addObject(elsewhere(object));
  const result = jit.runProgram({
    argv: ['main', elsewhere(Buffer.from('c'))],
    stdin: elsewhere(Buffer.from('a')),
  });
  t.is((await result).exitCode, 2);
  const doubles = runInNewContext('Float64Array.of(1, 2)');
  await jit.addC('double next(double x) { return x + 1; }');
  t.deepEqual([...(await jit.applyToColumns('next', [doubles]))], [2, 3]);
  await using pool = await JITPool.connect(['local']);
  await pool.addC('double next(double x) { return x + 1; }');
  t.deepEqual([...(await pool.map('next', doubles as Float64Array))], [2, 3]);
});

test('a program finds the arguments and the environment that it was given, whatever becomes of them', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addC(
    'char *getenv(const char *); int main(int c, char **v) { return c * 100 + v[1][0] + getenv("K")[0]; }',
  );
  const given = Buffer.from([1]);
  const argv = ['main', given];
  const env = { K: '\x02' };
  const running = jit.runProgram({ argv, env });
  given.fill(9);
  argv.push('more');
  env.K = '\x09';
  t.is((await running).exitCode, 203);
});

test('a directory for headers that is not there is named', async (t) => {
  const { jit } = await openJIT(t);
  await t.throwsAsync(jit.addC('int x;', { name: 'x.c', directory: '/nowhere' }), {
    instanceOf: CCompilerError,
    message: 'there is no directory /nowhere, in which the headers of x.c would be',
  });
});

test('assembly becomes an object', async (t) => {
  const { jit } = await openJIT(t);
  const source = (number: string) => `.globl f\n.type f,@function\nf: lea ${number}(%rdi), %eax\n ret\n`;
  await jit.addC(source('5'), { name: 'f.s' });
  t.is(await (await jit.lookup('f', INT))(3), 8);
  const dylib = jit.createDylib('other');
  await dylib.addC(`#define NUMBER 7\n${source('NUMBER')}`, { language: 'assembler-with-cpp' });
  t.is(await (await dylib.lookup('f', INT))(3), 10);
});

test('a source is bytes: what is in its strings need not be UTF-8', async (t) => {
  const { jit } = await openJIT(t);
  const source = Buffer.from('int f(int i) { return (unsigned char)"a\xffb"[i]; }', 'latin1');
  await jit.addC(source);
  const f = await jit.lookup('f');
  t.deepEqual([await f(1), await f(2)], [0xff, 'b'.charCodeAt(0)]);
});

test('headers are found where the source is and where options say', async (t) => {
  const { jit } = await openJIT(t);
  const directory = directoryOf(t, { 'here.h': '#define HERE 1\n' });
  const elsewhere = directoryOf(t, { 'there.h': '#define THERE 20\n', 'first.h': '#define FIRST 300\n' });
  const source = '#include "here.h"\n#include <there.h>\nint f(void) { return HERE + THERE + FIRST; }';
  const flags = ['-I', elsewhere, '-include', join(elsewhere, 'first.h')];
  await jit.addC(source, { directory, flags });
  t.is(await (await jit.lookup('f'))(), 321);
});

test('a source that is wrong is refused with file, line and column, and nothing of it is added', async (t) => {
  const { jit } = await openJIT(t);
  const source =
    'int fine(void) { return 1; }\nint f(int x) {\n  return x +;\n}\nint g(void) { return y; }\n';
  const error = await t.throwsAsync(jit.addC(source, { name: 'src/wrong.c' }), {
    instanceOf: CSourceError,
    code: 'C_SOURCE',
  });
  // Newer ones number the lines that they show.
  t.regex(
    error.message,
    /^src\/wrong\.c:3:13: error: expected expression\n[ 3|]* {2}return x \+;\n[ |]* {12}\^\n/,
  );
  t.deepEqual(error.diagnostics, [
    { file: 'src/wrong.c', line: 3, column: 13, severity: 'error', message: 'expected expression' },
    {
      file: 'src/wrong.c',
      line: 5,
      column: 22,
      severity: 'error',
      message: "use of undeclared identifier 'y'",
    },
  ]);
  const assembly = await t.throwsAsync(jit.addC('nop\nnope\n', { name: 'wrong.s', language: 'assembler' }), {
    instanceOf: CSourceError,
  });
  t.deepEqual([assembly.diagnostics[0]?.file, assembly.diagnostics[0]?.line], ['wrong.s', 2]);
  const preprocessed = await t.throwsAsync(jit.addC('nop\n#define N nope\nN\n', { name: 'wrong.S' }), {
    instanceOf: CSourceError,
  });
  t.deepEqual([preprocessed.diagnostics[0]?.file, preprocessed.diagnostics[0]?.line], ['wrong.S', 3]);
  t.deepEqual(jit.definedNames(), []);
});

test('warnings are told', async (t) => {
  const { jit } = await openJIT(t);
  const warnings: string[] = [];
  const onWarnings = (words: string) => void warnings.push(words);
  await jit.addC('int f(void) { int unused; return 1; }', { name: 'f.c', flags: ['-Wall'], onWarnings });
  t.is(warnings.length, 1);
  t.regex(warnings[0] ?? '', /^f\.c:1:19: warning: unused variable 'unused'/);
  await jit.addC('int g(void) { return 1; }', { name: 'g.c', flags: ['-Wall'], onWarnings });
  t.is(warnings.length, 1);
});

test('a signal ends the compiler', async (t) => {
  const { jit } = await openJIT(t);
  await t.throwsAsync(jit.addC('int x;', { name: 'x.c', signal: AbortSignal.abort() }), {
    code: 'CANCELLED',
    message: 'x.c was not compiled: its signal was aborted',
  });
  t.deepEqual(jit.definedNames(), []);
});

test('a compiler that is missing, is none, or fails is named', async (t) => {
  const { jit } = await openJIT(t);
  await t.throwsAsync(jit.addC('int x;', { cc: '/nowhere/clang' }), {
    instanceOf: CCompilerError,
    message: 'there is no C compiler at /nowhere/clang: give the path of a clang',
  });
  await t.throwsAsync(jit.addC('int x;', { cc: '/usr/bin/gcc' }), { instanceOf: CCompilerError });
  await t.throwsAsync(jit.addC('int x;', { flags: ['-fno-such-option'] }), {
    instanceOf: CCompilerError,
    message: /failed over source \(exit code 1\): .*unknown argument: '-fno-such-option'/,
  });
  t.deepEqual(jit.definedNames(), []);
});

test('a source reads no file but the headers that are its own, whatever it names', async (t) => {
  const { jit } = await openJIT(t);
  const secret = directoryOf(t, { 'id.h': '"a secret"\n' });
  const directory = join(secret, 'project');
  mkdirSync(directory);
  const path = join(secret, 'id.h');
  for (const [source, language] of [
    [`#include "${path}"\n`, 'c'],
    ['#include "../id.h"\n', 'c'],
    [`.incbin "${path}"\n`, 'assembler'],
    [`.include "${path}"\n`, 'assembler'],
    // Read by a code generator, which opens no file at all.
    [`__asm__(".incbin \\"${path}\\"");\nint x;`, 'c'],
    [`__asm__(".include \\"${path}\\"");\nint x;`, 'c++'],
    ['#include "/proc/self/environ"\n', 'c'],
    ['#include "/etc/passwd"\n', 'c'],
  ] as const) {
    const error = await t.throwsAsync(jit.addC(source, { directory, language }), undefined, source);
    t.false(/a secret|root:/.test(error.message), source);
  }
  const moduleAssembly = `module asm ".include \\22${path}\\22"\ndefine i32 @f() { ret i32 0 }`;
  const ofIR = await t.throwsAsync(jit.addIR(moduleAssembly, { name: 'read.ll' }));
  t.regex(ofIR.message, /^Cannot compile module read\.ll: .*Could not find include file/s);
  t.deepEqual(jit.definedNames(), []);
  // In a function it is code, and read when that is compiled.
  await jit.addC(`int f(void) { __asm__(".incbin \\"${path}\\""); return 0; }`, { directory });
  await t.throwsAsync((await jit.lookup('f'))(), {
    code: 'MATERIALIZATION_FAILED',
    message: /^cannot compile f: .*Could not find incbin file/s,
  });
});

test('assembly reads files beside it, and other sources do not', async (t) => {
  const { jit } = await openJIT(t);
  const directory = directoryOf(t, { 'five.bin': '\x05', 'name.inc': '.globl five\n' });
  const source =
    '.data\n.include "name.inc"\nfive: .incbin "five.bin"\n.section .note.GNU-stack,"",@progbits\n';
  await jit.addC(source, { name: 'five.s', directory });
  await jit.addC('extern signed char five; int f(void) { return five; }');
  t.is(await (await jit.lookup('f'))(), 5);
  const inC = jit.addC('__asm__(".incbin \\"five.bin\\"");', { directory });
  await t.throwsAsync(inC, { message: /Could not find incbin file 'five\.bin'/ });
});

test("a source's language is what its name says, unless it is given", async (t) => {
  const { jit } = await openJIT(t);
  const cxx = 'template <class T> T same(T x) { return x; } extern "C" int NAME(int x) { return same(x); }';
  for (const [index, name] of ['a.cpp', 'dir/a.cc', 'a.cxx', 'a.c++', 'a.C'].entries()) {
    await jit.addC(cxx.replace('NAME', `f${index}`), { name });
    t.is(await (await jit.lookup(`f${index}`, INT))(7), 7, name);
  }
  await jit.addC('int class(int x) { return x; }', { name: 'a.c' });
  await jit.addC('int template(int x) { return x; }', { name: 'without' });
  await jit.addC('int typename(int x) { return x; }', { name: 'a.cpp', language: 'c' });
  await t.throwsAsync(jit.addC('int class;', { name: 'b.cpp' }), { instanceOf: CSourceError });
  await t.throwsAsync(jit.addC(cxx, { name: 'b.cpp', language: 'c' }), { instanceOf: CSourceError });
  const assembly = (name: string) =>
    `.globl ${name}\n${name}: movl $NUMBER, %eax\nret\n.section .note.GNU-stack,"",@progbits\n`;
  await jit.addC(assembly('g').replace('NUMBER', '5'), { name: 'g.s' });
  await jit.addC(`#define NUMBER 6\n${assembly('h')}`, { name: 'h.S' });
  t.is(await (await jit.lookup('g', 'i32()'))(), 5);
  t.is(await (await jit.lookup('h', 'i32()'))(), 6);
});

test('what an editor puts in front of UTF-8 is no part of a source', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addC('\ufeffint f(void) { return __LINE__; }');
  t.is(await (await jit.lookup('f'))(), 1);
});

test('options for another product than bitcode or an object are named', async (t) => {
  const { jit } = await openJIT(t);
  for (const flags of [
    ['-E'],
    ['-S', '-g'],
    ['-fsyntax-only'],
    ['--version'],
    ['-###'],
    ['-Xclang', '-ast-dump'],
  ])
    await t.throwsAsync(jit.addC('int f(void) { return 1; }', { name: 'f.c', flags }), {
      instanceOf: CCompilerError,
      message: new RegExp(
        `/clang-\\d+ made neither bitcode nor an object of f\\.c: asked with ${flags.join(' ')}$`,
      ),
    });
  for (const flags of [['-x', 'c++'], ['-xc++'], ['-o', 'f.o'], ['-of.o']])
    await t.throwsAsync(jit.addC('int f(void) { return 1; }', { name: 'f.c', flags }), {
      instanceOf: CCompilerError,
      message: /^f\.c is not compiled with -[xo]\S*: /,
    });
  t.deepEqual(jit.definedNames(), []);
});

test('options whose checks and counters would be left out without a word are refused', async (t) => {
  const { jit } = await openJIT(t);
  for (const flag of [
    '-fsanitize=address',
    '-fsanitize=undefined,thread',
    '-fsanitize=leak',
    '-fsanitize-coverage=trace-pc',
    '-fprofile-generate=/tmp',
    '-fprofile-instr-generate',
    '-fprofile-arcs',
    '--coverage',
    '-fsplit-stack',
  ])
    await t.throwsAsync(jit.addC('int f(void) { return 1; }', { name: 'f.c', flags: [flag, '-g'] }), {
      instanceOf: CCompilerError,
      message: `f.c is not compiled with ${flag}: what that puts into a program is not supported`,
    });
  await jit.addC('int f(int x) { return x + 1; }', {
    flags: ['-fsanitize=undefined', '-fsanitize-trap=all'],
  });
  t.is(await (await jit.lookup('f'))(1), 2);
});

test('a dylib says how its functions are called, where all of it is scalars', async (t) => {
  const { jit } = await openJIT(t);
  const dylib = jit.createDylib('functions');
  await dylib.addC(
    'struct two { long a, b; }; int value; float half(int x) { return x / 2.0f; } void none(void *p) {} struct two both(void) { return (struct two){1, 2}; }',
  );
  t.deepEqual(Object.fromEntries(dylib.signatures()), {
    half: { result: 'float', parameters: ['i32'] },
    none: { result: 'void', parameters: ['ptr'] },
  });
  t.deepEqual(jit.mainDylib.signatures(), new Map());
});
