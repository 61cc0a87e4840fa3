import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { findClang } from '#compiler/src/frontends/llvm/find-clang.js';
import { findLibLLVM } from '#compiler/src/llvm/find-libllvm.js';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { openJIT } from './jit-fixture.js';

const HEADER = `
#include <typeinfo>
extern "C" int puts(const char *);
int made(int n);
template <class T> struct Holder { static int count; static int computed; static const char id; };
template <class T> int Holder<T>::count = 5;
template <class T> int Holder<T>::computed = made(1);
template <class T> const char Holder<T>::id = 'i';
struct Settings { static inline int level = 1; };
inline int &once() { static int value = made(100); return value; }
struct Shape { virtual int sides() { return 3; } virtual ~Shape() = default; };
`;
const LIBRARY = `${HEADER}
static int calls;
int made(int n) { return n + ++calls; }
extern "C" {
int lib_count(int by) { return Holder<long>::count += by; }
int lib_level(int by) { return Settings::level += by; }
int lib_once(int by) { return once() += by; }
int lib_computed() { return Holder<long>::computed; }
const void *lib_id() { return &Holder<long>::id; }
const void *lib_type() { return &typeid(Shape); }
int lib_sides(Shape *shape) { return shape->sides(); }
int lib_calls() { return calls; }
}`;
const PROGRAM = `${HEADER}
template <class T> struct Own { static int count; };
template <class T> int Own<T>::count = 7;
extern "C" {
int lib_count(int), lib_level(int), lib_once(int), lib_computed(), lib_sides(Shape *), lib_calls();
const void *lib_id();
const void *lib_type();
struct Square : Shape { int sides() override { return 4; } };
int run() {
  Shape shape;
  Square square;
  Holder<long>::count += 10;
  Settings::level += 20;
  once() += 30;
  const void *volatile id = &Holder<long>::id;
  const void *volatile type = &typeid(Shape);
  bool fits = lib_count(1) == 16 && Holder<long>::count == 16 && lib_level(2) == 23 && Settings::level == 23 &&
    lib_once(3) == once() && lib_computed() == Holder<long>::computed && id == lib_id() && type == lib_type() &&
    lib_sides(&shape) == 3 && lib_sides(&square) == 4 && ++Own<int>::count == 8;
  return fits ? lib_calls() : -1;
}
}`;

function buildLibrary(t: ExecutionContext, source = LIBRARY): string {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-library-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'a.cpp'), source);
  const path = join(directory, 'libholder.so');
  execFileSync('c++', ['-std=c++17', '-O1', '-fPIC', '-shared', '-o', path, 'a.cpp'], {
    cwd: directory,
    timeout: 60_000,
  });
  return path;
}

const FLAGS = ['-std=c++17', '-O1', '-fPIC', '-ffunction-sections', '-fdata-sections'];
const RUN = { result: 'i32', parameters: [] } as const;

for (const [what, compiler] of [
  ['an object of gcc', 'c++'],
  ['an object of clang', findClang(findLibLLVM().path)],
] as const)
  test(`data of the one definition rule is the library's that has it, too: ${what}`, async (t) => {
    const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6', buildLibrary(t)] } });
    await jit.addObject(compile(PROGRAM, FLAGS, 'c++', compiler), { name: 'program.o' });
    await jit.initialize();
    // One of each: the library's variable at its start, and that of the function when it is first called.
    t.is(await (await jit.lookup('run', RUN))(), 2);
    t.is((await jit.findSymbol('_ZN6HolderIlE5countE'))?.kind, 'process');
    t.is((await jit.findSymbol('_ZN3OwnIiE5countE'))?.kind, 'data');
  });

test("data of the one definition rule is the library's that has it, too: a module", async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6', buildLibrary(t)] } });
  await jit.addC(PROGRAM, { name: 'program.cpp', language: 'c++', flags: ['-std=c++17'] });
  await jit.initialize();
  t.is(await (await jit.lookup('run', RUN))(), 2);
});

/** One variable in each thread, however many define it: with a constant at first, with what is computed, and a template's. */
const THREAD_LOCALS = `
#include <thread>
int made(int n);
inline thread_local int level = 1;
inline thread_local int computed = made(10);
template <class T> struct Each { static thread_local int count; };
template <class T> thread_local int Each<T>::count = 5;
inline int &once() { static thread_local int value = made(100); return value; }
`;
const THREADED_LIBRARY = `${THREAD_LOCALS}
static thread_local int calls;
int made(int n) { return n + ++calls; }
extern "C" {
int lib_level(int by) { return level += by; }
int lib_computed(int by) { return computed += by; }
int lib_count(int by) { return Each<long>::count += by; }
int lib_once(int by) { return once() += by; }
int lib_calls() { return calls; }
const void *lib_place() { return &level; }
}`;
const THREADED_PROGRAM = `${THREAD_LOCALS}
extern "C" {
int lib_level(int), lib_computed(int), lib_count(int), lib_once(int), lib_calls();
const void *lib_place();
static int differing() {
  int wrong = 0, n = 0;
  auto check = [&](bool right) { wrong |= !right << n++; };
  level += 10, computed += 20, Each<long>::count += 30, once() += 40;
  check(lib_level(1) == 12 && level == 12);
  check(lib_computed(2) == computed);
  check(lib_count(3) == 38 && Each<long>::count == 38);
  check(lib_once(4) == once());
  check(lib_calls() == 2);
  check(lib_place() == &level);
  check(++Each<short>::count == 6);
  return wrong;
}
int run() {
  int here = differing(), there = -1;
  std::thread([&] { there = differing(); }).join();
  return here * 1000 + there;
}
}`;

for (const [what, compiler] of [
  ['an object of gcc', 'c++'],
  ['an object of clang', findClang(findLibLLVM().path)],
  ['a module', undefined],
] as const)
  test(`so it is with thread-local data: ${what}`, async (t) => {
    const library = buildLibrary(t, THREADED_LIBRARY);
    const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6', library] } });
    if (compiler)
      await jit.addObject(compile(THREADED_PROGRAM, FLAGS, 'c++', compiler), { name: 'program.o' });
    else await jit.addC(THREADED_PROGRAM, { name: 'program.cpp', language: 'c++', flags: ['-std=c++17'] });
    await jit.initialize();
    t.is(await (await jit.lookup('run', RUN))(), 0);
    await t.throwsAsync(jit.findSymbol('level'), { code: 'THREAD_LOCAL_SYMBOL' });
  });

test('a thread-local variable of two files and no library is one in each thread', async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  await jit.addObject(compile(THREADED_LIBRARY, FLAGS, 'c++'), { name: 'library.o' });
  await jit.addC(THREADED_PROGRAM, { name: 'program.cpp', language: 'c++', flags: ['-std=c++17'] });
  await jit.initialize();
  t.is(await (await jit.lookup('run', RUN))(), 0);
});

test('one that a library has too is refused where the code could not reach it there', async (t) => {
  const { jit } = await openJIT(t, {
    local: { preload: ['libstdc++.so.6', buildLibrary(t, THREADED_LIBRARY)] },
  });
  const source = 'inline thread_local int level = 1; extern "C" int run() { return ++level; }';
  await jit.addObject(compile(source, [...FLAGS, '-ftls-model=initial-exec'], 'c++'), { name: 'initial.o' });
  await t.throwsAsync((await jit.lookup('run', RUN))(), { message: /level.*library/s });
});

test('what only is weak is not shared with a library that happens to have the name', async (t) => {
  const { jit } = await openJIT(t);
  const source = `__attribute__((weak)) int optind = 40; int run(void) { return ++optind; }`;
  await jit.addObject(compile(source, ['-O1', '-fPIC']), { name: 'weak.o' });
  t.is(await (await jit.lookup('run', RUN))(), 41);
  t.is((await jit.findSymbol('optind'))?.kind, 'data');
});
