import test from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { openJIT } from './jit-fixture.js';

const LONG = { result: 'i64', parameters: [] } as const;

/** A counter that each thread has its own of, and threads that count in it. */
const COUNTING = `
  #include <pthread.h>
  #include <stdint.h>
  __thread long counter = 100;
  static __thread long seen;
  static __thread const char *text = "threads";
  long count(void) { seen++; return counter++; }
  static void *run(void *times) {
    long sum = 0;
    for (intptr_t i = 0; i < (intptr_t)times; i++) sum += count();
    return (void *)(sum + 1000 * seen + 1000000 * text[0]);
  }
  long in_threads(void) {
    pthread_t threads[4];
    long sum = 0;
    void *result;
    for (intptr_t i = 0; i < 4; i++) pthread_create(&threads[i], 0, run, (void *)(i + 1));
    for (int i = 0; i < 4; i++) { pthread_join(threads[i], &result); sum += (long)result; }
    return sum;
  }`;

for (const flags of [
  ['-O0', '-fPIC'],
  ['-O2', '-fPIC', '-ffunction-sections', '-fdata-sections'],
  ['-O2', '-fPIC', '-mtls-dialect=gnu2', '-ffunction-sections'],
  ['-O2', '-fPIC', '-fno-plt', '-ffunction-sections'],
  ['-O2', '-fPIE', '-ftls-model=initial-exec', '-ffunction-sections'],
])
  test(`each thread has a value of its own, in an object of gcc ${flags.join(' ')}`, async (t) => {
    const { jit } = await openJIT(t);
    await jit.addObject(compile(COUNTING, flags));
    const count = await jit.lookup('count', LONG);
    t.is(await count(), 100n);
    t.is(await count(), 101n);
    // 100, 100 + 101, …: one, two, three and four times, and so often seen.
    const sums = 100 + 201 + 303 + 406;
    t.is(await (await jit.lookup('in_threads', LONG))(), BigInt(sums + 1000 * 10 + 1_000_000 * 4 * 116));
    t.is(await count(), 102n);
  });

test('threads that are there when a variable is linked have its initial value', async (t) => {
  const { jit } = await openJIT(t);
  const linked: string[] = [];
  jit.subscribe((event) => {
    if (event.type === 'linked') linked.push(event.unit);
  });
  await jit.addObject(
    compile(
      `#include <pthread.h>
       #include <semaphore.h>
       extern long fresh(void);
       static sem_t semaphore;
       static pthread_t thread;
       static void *run(void *none) { sem_wait(&semaphore); fresh(); return (void *)fresh(); }
       void begin(void) { sem_init(&semaphore, 0, 0); pthread_create(&thread, 0, run, 0); }
       long end(void) { void *result; sem_post(&semaphore); pthread_join(thread, &result); return (long)result; }`,
      ['-O1', '-fPIC', '-ffunction-sections'],
    ),
    { name: 'waiting.o' },
  );
  await jit.addObject(
    compile('__thread long value = 7; __thread long zero; long fresh(void) { return value++ + zero; }', [
      '-O1',
      '-fPIC',
      '-fdata-sections',
    ]),
    { name: 'fresh.o' },
  );
  await (await jit.lookup('begin', { result: 'void', parameters: [] }))();
  t.false(linked.includes('fresh.o'));
  const fresh = await jit.lookup('fresh', LONG);
  t.is(await fresh(), 7n);
  t.true(linked.includes('fresh.o'));
  t.is((await jit.executorStatus()).programThreads, 1);
  // The thread is older than the variables, and has not been there when this thread changed its own.
  t.is(await (await jit.lookup('end', LONG))(), 8n);
  t.is(await fresh(), 8n);
});

test('calls at the same time are on threads of their own, whose variables stay theirs', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(
    compile(
      `#include <semaphore.h>
       static __thread long calls = 1;
       static sem_t all;
       static int waiting;
       void init(void) { sem_init(&all, 0, 0); }
       /* Returns when four threads are in it. */
       long together(void) {
         if (__atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST) == 4) for (int i = 0; i < 4; i++) sem_post(&all);
         sem_wait(&all);
         return calls++;
       }
       void again(void) { waiting = 0; }`,
      ['-O1', '-fPIC'],
    ),
  );
  const action = { result: 'void', parameters: [] } as const;
  await (await jit.lookup('init', action))();
  const together = await jit.lookup('together', LONG);
  const again = await jit.lookup('again', action);
  for (const expected of [1n, 2n]) {
    t.deepEqual(await Promise.all(Array.from({ length: 4 }, () => together())), Array(4).fill(expected));
    await again();
  }
});

test('modules and objects share thread-local variables by name, also those that come in many copies', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addIR(`
    @shared = thread_local global i64 5
    @tentative = common thread_local global i64 0
    @also = thread_local alias i64, i64* @shared
    define i64 @next() {
      %v = load i64, i64* @shared
      %n = add i64 %v, 1
      store i64 %n, i64* @shared
      store i64 %n, i64* @tentative
      ret i64 %v
    }`);
  const flags = ['-O1', '-fPIC', '-fcommon', '-ffunction-sections'];
  await jit.addObject(
    compile(
      `extern __thread long shared, also; __thread long tentative;
       long look(void) { return 100 * shared + 10 * tentative + (&also == &shared); }`,
      flags,
    ),
  );
  const inline = (name: string) =>
    compile(`inline thread_local long one = 40; extern "C" long ${name}() { return ++one; }`, flags, 'c++');
  await jit.addObject(inline('first'));
  await jit.addObject(inline('second'));
  t.is(await (await jit.lookup('next', LONG))(), 5n);
  t.is(await (await jit.lookup('look', LONG))(), 661n);
  t.is(await (await jit.lookup('first', LONG))(), 41n);
  t.is(await (await jit.lookup('second', LONG))(), 42n);
});

test('room that a removed variable had is used again, with the initial value of who has it then', async (t) => {
  const { jit } = await openJIT(t);
  const flags = ['-O1', '-fPIC'];
  const source = (value: number) =>
    `__thread long big[6000] = {${value}}; long next(void) { return big[0]++ + big[5999]++; }`;
  // Six times as much as there is room for.
  for (let value = 1; value <= 8; value++) {
    const tracker = await jit.addObject(compile(source(value), flags));
    const next = await jit.lookup('next', LONG);
    t.is(await next(), BigInt(value));
    t.is(await next(), BigInt(value + 2));
    tracker.remove();
  }
});

test('variables for which no room is left are refused by name, until others are removed', async (t) => {
  const { jit } = await openJIT(t);
  const add = (name: string) =>
    jit.addObject(
      compile(`__thread long ${name}[6000] = {7}; long use_${name}(void) { return ${name}[0]++; }`, [
        '-fPIC',
      ]),
    );
  const first = await add('first');
  t.is(await (await jit.lookup('use_first', LONG))(), 7n);
  await add('second');
  const second = await jit.lookup('use_second', LONG);
  await t.throwsAsync(second(), {
    message: /no 48000 bytes of thread-local memory left in the executor for second;/,
  });
  first.remove();
  t.is(await second(), 7n);
});

test('a new runner begins with initial values', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(
    compile('__thread long n = 5; long next(void) { return n++; } void end(void) { __builtin_trap(); }', [
      '-fPIC',
    ]),
  );
  const next = await jit.lookup('next', LONG);
  t.is(await next(), 5n);
  t.is(await next(), 6n);
  await t.throwsAsync((await jit.lookup('end', { result: 'void', parameters: [] }))(), {
    code: 'EXECUTION_TRAP',
  });
  t.is(await next(), 5n);
});

test('threads that a library makes have initial values', async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  await jit.addObject(
    compile(
      `#include <thread>
       static thread_local long n = 9;
       extern "C" long in_thread() {
         long seen = 0;
         n = 1;
         std::thread thread([&] { seen = n++; });
         thread.join();
         return seen;
       }`,
      ['-O1', '-fPIC', '-ffunction-sections'],
      'c++',
    ),
  );
  t.is(await (await jit.lookup('in_thread', LONG))(), 9n);
});

test('a thread-local variable has no address to look up, neither one of the program nor one of the process', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(compile('__thread int x = 5; int y;', ['-fPIC']));
  for (const look of [() => jit.findSymbol('x'), () => jit.lookup('x', LONG)])
    await t.throwsAsync(look(), {
      code: 'THREAD_LOCAL_SYMBOL',
      message: /^x is thread-local: it has no address/,
    });
  t.is((await jit.findSymbol('y'))?.kind, 'data');
  // The C library has it, for each thread.
  t.is(await jit.findSymbol('errno'), undefined);
});

const REFUSED: Readonly<Record<string, [sources: string[], words: RegExp]>> = {
  'more than there is room for': [
    ['__thread char big[70000]; long f(void) { return big[1]; }'],
    /no 70000 bytes of thread-local memory left in the executor for big/,
  ],
  'more alignment than threads have': [
    ['__thread long wide __attribute__((aligned(128))); long f(void) { return wide; }'],
    /section \.tbss: thread-local memory is aligned to 64 bytes, and not to 128/,
  ],
  'one that others take for an ordinary variable': [
    ['__thread long x = 1;', 'extern long x; long f(void) { return x; }'],
    /"x" is thread-local, and is referred to as something that is not/,
  ],
  'an ordinary variable that others take for one': [
    ['long x = 1;', 'extern __thread long x; long f(void) { return x; }'],
    /"x" is not thread-local, and is referred to as something that is/,
  ],
  'one that nobody has': [
    ['extern __thread long nowhere; long f(void) { return nowhere; }'],
    /no definition of "nowhere"/,
  ],
};

for (const [what, [sources, words]] of Object.entries(REFUSED))
  test(`what cannot be thread-local here is refused by name at the first call: ${what}`, async (t) => {
    const { jit } = await openJIT(t);
    for (const source of sources) await jit.addObject(compile(source, ['-O1', '-fPIC']));
    await jit.addObject(compile('__thread long n = 3; long fine(void) { return n++; }', ['-O1', '-fPIC']));
    await t.throwsAsync((await jit.lookup('f', LONG))(), { code: 'MATERIALIZATION_FAILED', message: words });
    t.is(await (await jit.lookup('fine', LONG))(), 3n);
  });

const CALL_ONCE = `
  #include <mutex>
  static std::once_flag flag;
  static thread_local long n = 6;
  extern "C" long once() { std::call_once(flag, [] { n++; }); return n; }`;

test('thread-local variables of libraries are those of the calling thread', async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  // libstdc++ hands what is to be called to itself in two of its own.
  await jit.addObject(compile(CALL_ONCE, ['-O1', '-fPIC', '-ffunction-sections'], 'c++'));
  const once = await jit.lookup('once', LONG);
  t.is(await once(), 7n);
  t.is(await once(), 7n);
});

test('code that wants a distance to a variable of a library is refused by name', async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  await jit.addObject(compile(CALL_ONCE, ['-O1', '-fPIE'], 'c++'));
  const once = await jit.lookup('once', LONG);
  await t.throwsAsync(once(), {
    code: 'MATERIALIZATION_FAILED',
    message:
      /"_ZSt\d+__once_call(able)?" is thread-local, and nothing that is defined here.* compiled with -fPIC/,
  });
});

test('a variable that is defined later stands before one of a library', async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  const source =
    'extern __thread void *_ZSt15__once_callable; long f(void) { return (long)_ZSt15__once_callable; }';
  await jit.addObject(compile(source, ['-O1', '-fPIC']));
  const f = await jit.lookup('f', LONG);
  t.is(await f(), 0n);
  await jit.addObject(compile('__thread void *_ZSt15__once_callable = (void *)9;', ['-O1', '-fPIC']));
  t.is(await f(), 9n);
});

test('threads that are all on their way to new variables never see one without its initial value', async (t) => {
  const { jit } = await openJIT(t);
  const numbers = Array.from({ length: 40 }, (_, index) => index);
  const variable = (i: number) =>
    `__thread long v${i} = ${1000 + i}; __thread long z${i}; long f${i}(void) { return v${i}++ + z${i}; }`;
  await jit.addObject(
    compile(
      `#include <pthread.h>
       ${numbers.map(variable).join('\n')}
       static long (*const all[])(void) = { ${numbers.map((i) => `f${i}`).join(', ')} };
       static void *run(void *start) {
         long wrong = 0;
         for (long i = 0; i < ${numbers.length}; i++) {
           long at = (i + (long)start) % ${numbers.length};
           wrong += all[at]() != 1000 + at;
         }
         return (void *)wrong;
       }
       long race(void) {
         pthread_t threads[8];
         long wrong = 0;
         void *result;
         for (long i = 0; i < 8; i++) pthread_create(&threads[i], 0, run, (void *)(i % 2 * 20));
         for (int i = 0; i < 8; i++) { pthread_join(threads[i], &result); wrong += (long)result; }
         return wrong;
       }`,
      ['-O1', '-fPIC', '-ffunction-sections', '-fdata-sections'],
    ),
  );
  t.is(await (await jit.lookup('race', LONG))(), 0n);
});

test("threads that a library makes count as the program's", async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'], limits: { threads: 2 } } });
  await jit.addObject(
    compile(
      `#include <semaphore.h>
       #include <system_error>
       #include <thread>
       static sem_t done;
       extern "C" long begun() {
         static std::thread *threads[4];
         long count = 0;
         sem_init(&done, 0, 0);
         try {
           for (; count < 4; count++) threads[count] = new std::thread([] { sem_wait(&done); });
         } catch (const std::system_error &) {
         }
         for (int i = 0; i < 4; i++) sem_post(&done);
         for (long i = 0; i < count; i++) threads[i]->join();
         return count;
       }`,
      ['-O1', '-fPIC', '-ffunction-sections'],
      'c++',
    ),
  );
  t.is(await (await jit.lookup('begun', LONG))(), 2n);
});

test('thread-local objects of C++ are made when a thread first uses them, and destroyed when it ends', async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  const header = `
    struct Counted { long n; Counted(); ~Counted(); };
    extern thread_local Counted counted;
    extern long made, gone;`;
  const flags = ['-O1', '-fPIC', '-ffunction-sections'];
  await jit.addObject(
    compile(
      `${header}
       long made, gone;
       static long from(long n) { return 10 * n; }
       Counted::Counted() : n(from(++made)) {}
       Counted::~Counted() { gone++; }
       thread_local Counted counted;`,
      flags,
      'c++',
    ),
  );
  await jit.addObject(
    compile(
      `${header}
       #include <thread>
       extern "C" long threads() {
         long seen[2];
         for (long &n : seen) { std::thread thread([&] { n = counted.n++; }); thread.join(); }
         return seen[0] * 1000 + seen[1] * 10 + gone;
       }
       extern "C" long here() { return counted.n++; }`,
      flags,
      'c++',
    ),
  );
  t.is(await (await jit.lookup('threads', LONG))(), 10_202n);
  const here = await jit.lookup('here', LONG);
  t.is(await here(), 30n);
  t.is(await here(), 31n);
});
