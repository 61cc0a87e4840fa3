import test, { type ExecutionContext } from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { eventually, openJIT } from './jit-fixture.js';
import { parseMaps } from './proc.js';

/** Counts what is freed that it has not given; all that it has given is overwritten when it is freed. */
const HEAP = `
#include <stddef.h>
#include <string.h>
static char arena[1 << 22];
static size_t used;
int frees, strangers;
int mine(void *p) { return (char *)p >= arena && (char *)p < arena + sizeof arena; }
void *malloc(size_t n) {
  used = (used + 31) & ~(size_t)15;
  size_t *p = (size_t *)(arena + __sync_fetch_and_add(&used, n));
  p[-1] = n;
  return p;
}
void free(void *p) {
  if (!p) return;
  frees++;
  if (mine(p)) memset(p, 0xdd, ((size_t *)p)[-1]);
  else strangers++;
}
void *calloc(size_t count, size_t n) { return memset(malloc(count * n), 0, count * n); }
void *realloc(void *p, size_t n) {
  if (!p) return malloc(n);
  if (!mine(p)) strangers++;
  size_t had = ((size_t *)p)[-1];
  void *moved = memcpy(malloc(n), p, had < n ? had : n);
  free(p);
  return moved;
}`;

const MAIN = `
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
extern int frees, strangers;
int mine(void *);
static void *in_thread(void *text) { return strdup(text); }
int main(void) {
  char *text = strdup("text"), *made, *line = NULL;
  size_t size = 0;
  printf("%d", mine(text));
  free(text);
  asprintf(&made, "%d", 5);
  printf("%d", mine(made));
  free(made);
  while (getline(&line, &size, stdin) > 0) printf("%d%zu", mine(line), strlen(line));
  FILE *stream = open_memstream(&made, &size);
  for (int i = 0; i < 5000; i++) fputs("0123456789", stream);
  fclose(stream);
  printf("%d%zu", mine(made), size);
  pthread_t thread;
  pthread_create(&thread, NULL, in_thread, "of a thread");
  void *result;
  pthread_join(thread, &result);
  printf("%d%s", mine(result), (char *)result);
  printf(" %d %d\\n", frees >= 3, strangers);
}`;

test('libraries use the heap of a program that has its own', async (t) => {
  for (const optLevel of [undefined, 2] as const) {
    const { jit, printed } = await openJIT(t, optLevel === undefined ? {} : { optLevel });
    await jit.addObject(compile(MAIN, ['-O1', '-fPIC', '-w']), { name: 'main.o' });
    await jit.addObject(compile(HEAP, ['-O1', '-fPIC', '-fno-builtin', '-ffunction-sections']), {
      name: 'heap.o',
    });
    const stdin = `a\n${'b'.repeat(300)}\n`;
    t.like(await jit.runProgram({ stdin }), { exitCode: 0 });
    t.is(printed(), '111213011500001of a thread 1 0\n');
    await jit.close();
  }
});

/** The libraries of a runner in which a program waits: how large each of their mappings is, and its rights. */
async function librariesBeside(t: ExecutionContext, ...heap: readonly Uint8Array[]): Promise<string[]> {
  const { jit, printed } = await openJIT(t);
  const source = '#include <stdio.h>\nint main(void) { puts("here"); return getchar() != EOF; }';
  for (const [index, object] of [compile(source, ['-O1', '-fPIC']), ...heap].entries())
    await jit.addObject(object, { name: `${index}.o` });
  let mappings: string[] = [];
  async function* look() {
    await eventually(() => printed() === 'here\n', 'the program waits');
    mappings = parseMaps(await jit.runnerMaps())
      .filter(({ path }) => path.includes('.so'))
      .map(({ start, end, rights, path }) => `${end - start} ${rights} ${path}`);
    yield new Uint8Array();
  }
  t.like(await jit.runProgram({ stdin: look(), lineBuffered: true }), { exitCode: 0 });
  await jit.close();
  return mappings;
}

test("a library that calls a program's heap is as read-only as before", async (t) => {
  const heap = compile(HEAP, ['-O1', '-fPIC', '-fno-builtin', '-ffunction-sections']);
  const mappings = await librariesBeside(t);
  t.true(mappings.some((line) => / rw-p .*libc\.so/.test(line)));
  t.deepEqual(await librariesBeside(t, heap), mappings);
});

test("libraries use a program's operators new and delete, also for what it makes before main", async (t) => {
  const { jit, printed } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  const source = `
#include <cstdio>
#include <cstdlib>
#include <new>
#include <sstream>
#include <string>
static long alive, made;
void *operator new(std::size_t n) {
  alive++, made++;
  long *p = static_cast<long *>(std::malloc(n + 16));
  p[0] = 0x1234;
  return p + 2;
}
void operator delete(void *p) noexcept {
  if (!p) return;
  alive--;
  long *block = static_cast<long *>(p) - 2;
  if (block[0] != 0x1234) std::puts("a stranger's"), std::_Exit(1);
  std::free(block);
}
void operator delete(void *p, std::size_t) noexcept { operator delete(p); }
static std::string global(100, 'g');
int main() {
  long before = made;
  {
    std::string s(100, 'x');
    s.append(1000, 'y');
    std::ostringstream stream;
    stream << s << s;
    delete[] new int[10];
  }
  global.append(1000, 'g');
  std::printf("%d %ld\\n", made > before + 4, alive);
}`;
  await jit.addObject(compile(source, ['-O1', '-fPIC'], 'c++'), { name: 'main.o' });
  t.like(await jit.runProgram(), { exitCode: 0 });
  t.is(printed(), '1 1\n');
});

test('a function that libraries are not to see replaces none of theirs', async (t) => {
  const { jit, printed } = await openJIT(t);
  const source = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int calls;
__attribute__((visibility("hidden"))) void free(void *p) { calls++; }
int main(void) {
  char *line = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&line, &size);
  for (int i = 0; i < 5000; i++) fputs("0123456789", stream);
  fclose(stream);
  printf("%d", calls);
  free(line);
  printf("%d\\n", calls);
}`;
  await jit.addObject(compile(source, ['-O1', '-fPIC', '-fno-builtin', '-w']), { name: 'main.o' });
  t.like(await jit.runProgram(), { exitCode: 0 });
  t.is(printed(), '01\n');
});

test("a program's heap may be libc's with something in front, found as what comes next or by its other name", async (t) => {
  const { jit, printed } = await openJIT(t);
  const source = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
void __libc_free(void *);
static int made, freed;
void *malloc(size_t n) {
  static void *(*next)(size_t);
  if (!next) next = dlsym(RTLD_NEXT, "malloc");
  made++;
  return next(n);
}
void free(void *p) {
  freed++;
  __libc_free(p);
}
int main(void) {
  int before = made;
  free(strdup("text"));
  printf("%d%d", made - before, freed);
  printf("%d\\n", dlsym(RTLD_DEFAULT, "nobody has this") == NULL);
}`;
  await jit.addObject(compile(source, ['-O1', '-fPIC', '-fno-builtin', '-ffunction-sections']), {
    name: 'main.o',
  });
  t.like(await jit.runProgram(), { exitCode: 0 });
  t.is(printed(), '111\n');
});

test('a program with a heap of its own is not begun where libraries have memory of earlier calls', async (t) => {
  const { jit, printed } = await openJIT(t);
  await jit.addObject(compile(HEAP, ['-O1', '-fPIC', '-fno-builtin', '-ffunction-sections']), {
    name: 'heap.o',
  });
  const source = `
#include <stdio.h>
extern int strangers;
static char *text;
static size_t size;
static FILE *stream;
int begin(void) { stream = open_memstream(&text, &size); return fputs("0123456789", stream) >= 0; }
int main(void) {
  if (!stream) begin();
  for (int i = 0; i < 5000; i++) fputs("0123456789", stream);
  fclose(stream);
  printf("%zu %d\\n", size, strangers);
}`;
  await jit.addObject(compile(source, ['-O1', '-fPIC']), { name: 'main.o' });
  const begin = await jit.lookup('begin', 'i32()');
  t.is(await begin(), 1);
  await t.throwsAsync(jit.runProgram(), {
    code: 'HEAP_IN_USE',
    message:
      /^main was not run: the program defines malloc, calloc, realloc, free in place of the libraries'/,
  });
  // The runner is as it was.
  t.is(await begin(), 1);
  // In one of its own all is right.
  const other = await openJIT(t);
  for (const [name, text] of [
    ['heap.o', compile(HEAP, ['-O1', '-fPIC', '-fno-builtin', '-ffunction-sections'])],
    ['main.o', compile(source, ['-O1', '-fPIC'])],
  ] as const)
    await other.jit.addObject(text, { name });
  t.like(await other.jit.runProgram(), { exitCode: 0 });
  t.is(other.printed(), '50010 0\n');
  t.is(printed(), '');
});

test('operators of C++ are said as C++ writes them, once each', async (t) => {
  const { jit } = await openJIT(t);
  const source = `
#include <cstddef>
#include <cstdlib>
#include <new>
void *operator new(std::size_t n) { return std::malloc(n); }
void *operator new(std::size_t n, const std::nothrow_t &) noexcept { return std::malloc(n); }
void *operator new[](std::size_t n) { return std::malloc(n); }
void operator delete(void *p) noexcept { std::free(p); }
void operator delete(void *p, std::size_t) noexcept { std::free(p); }
extern "C" int one() { return 1; }
int main() { return 0; }`;
  await jit.addObject(compile(source, ['-O1', '-fPIC'], 'c++'), { name: 'main.o' });
  t.is(await (await jit.lookup('one', 'i32()'))(), 1);
  await t.throwsAsync(jit.runProgram(), {
    code: 'HEAP_IN_USE',
    message:
      /^main was not run: the program defines operator new, operator new\[\], operator delete in place of/,
  });
});
