import { LinkError, type ResourceTracker } from '@farjit/compiler';
import test from 'ava';
import { assemble, compile } from '#compiler/test/jitlink/toolchain.js';
import { assemble as assembleIR } from '#compiler/test/llvm/assemble.js';
import { openJIT } from './jit-fixture.js';

const INT = { result: 'i32', parameters: ['i32'] } as const;
const SOURCE = `
#include <math.h>
static int calls;
int limit = 100;
static int helper(int x) { return x * x; }
int square(int x) { calls++; return helper(x); }
int twice(int x) { return square(x) + square(x); }
int count(int x) { return calls + limit + x; }
double root(double x) { return sqrt(x) + cbrt(x); }
const char *name(void) { return "square"; }
`;

for (const [what, flags] of [
  ['a section for all functions', ['-O1']],
  ['a section for each', ['-O1', '-fPIC', '-ffunction-sections', '-fdata-sections']],
  ['no optimisation', ['-O0', '-fPIC']],
  ['debug information', ['-O2', '-g', '-fPIC', '-ffunction-sections']],
  ['machine code beside what its linker plugin reads', ['-O1', '-fPIC', '-flto', '-ffat-lto-objects']],
] as const)
  test(`an object of gcc is linked and run: ${what}`, async (t) => {
    const { jit } = await openJIT(t);
    const tracker = await jit.addObject(compile(SOURCE, flags), { name: 'square.o' });
    t.deepEqual([...tracker.names].sort(), ['count', 'limit', 'name', 'root', 'square', 'twice']);
    t.is(await (await jit.lookup('twice', INT))(5), 50);
    t.is(await (await jit.lookup('count', INT))(0), 102);
    t.is(await (await jit.lookup('root', { result: 'double', parameters: ['double'] }))(64), 12);
    t.is((await jit.findSymbol('limit'))?.kind, 'data');
    tracker.remove();
    t.is(await jit.findSymbol('square'), undefined);
  });

test('an object is not compiled, and each function in a section of its own is linked at its own first call', async (t) => {
  const { jit } = await openJIT(t);
  const linked: string[] = [];
  jit.subscribe((event) => {
    if (event.type === 'linked') linked.push(event.unit);
  });
  const object = compile(
    `int square(int x) { return x * x; }
     int cube(int x) { return x * square(x); }
     int twice(int x) { return square(x) + square(x); }`,
    ['-O1', '-fPIC', '-fno-inline', '-ffunction-sections'],
  );
  await jit.addObject(object, { name: 'square.o' });
  // What the caller does with it afterwards is no matter.
  object.fill(0);
  const twice = await jit.lookup('twice', INT);
  t.deepEqual(linked, []);
  t.is(await twice(3), 18);
  t.is(await twice(3), 18);
  t.is(linked.filter((unit) => unit === 'square.o').length, 2);
  t.is(jit.statistics().modulesCompiled, 0);
});

test('an object of gcc’s defaults reaches the variables of libraries, which are near', async (t) => {
  const { jit, printed } = await openJIT(t);
  const source = '#include <stdio.h>\nint say(int x) { fprintf(stdout, "%d\\n", x); return fflush(stdout); }';
  await jit.addObject(compile(source, ['-O1', '-fPIE']));
  t.is(await (await jit.lookup('say', INT))(5), 0);
  t.is(printed(), '5\n');
});

test('a new runner gets the functions of an object again, with its data as the object has it', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(
    compile('int n = 5; int next(int x) { return n += x; } void end(void) { __builtin_trap(); }', []),
  );
  const next = await jit.lookup('next', INT);
  t.is(await next(1), 6);
  const end = await jit.lookup('end', { result: 'void', parameters: [] });
  await t.throwsAsync(end(), { code: 'EXECUTION_TRAP' });
  t.is(await next(2), 7);
});

test('what an object defines competes as in a linker: strong, weak, common, COMDAT, hidden and aliases', async (t) => {
  const { jit } = await openJIT(t);
  const flags = ['-O1', '-fPIC', '-fcommon', '-ffunction-sections'];
  await jit.addObject(
    compile(
      `int common[2]; int common_at(void) { return common[1]; }
       __attribute__((weak)) int hook(void) { return 1; }
       int call_hook(void) { return hook(); }
       int real(int x) { return x + 1; }
       int other(int x) __attribute__((alias("real")));
       static int inner(void) { return 8; }
       int outer(void) __attribute__((alias("inner")));
       int data = 5; extern int same __attribute__((alias("data")));
       int is_same(void) { same++; return &same == &data && data == 6; }
       __attribute__((visibility("hidden"))) int hid(void) { return 9; }
       extern __attribute__((weak)) int nowhere(void);
       int has_nowhere(void) { return nowhere != 0; }`,
      flags,
    ),
    { name: 'first.o' },
  );
  const ints = async (name: string, ...args: number[]) =>
    (await jit.lookup(name, args.length === 0 ? { result: 'i32', parameters: [] } : INT))(...args);
  t.is(await ints('call_hook'), 1);
  await jit.addObject(
    compile(
      `int common[8]; int common_set(void) { common[1] = 3; return 0; }
       int hook(void) { return 2; }
       extern int hid(void); int ask(void) { return hid(); }`,
      flags,
    ),
    { name: 'second.o' },
  );
  t.is(await ints('call_hook'), 2);
  await ints('common_set');
  t.is(await ints('common_at'), 3);
  t.is(await ints('other', 1), 2);
  t.is(await ints('outer'), 8);
  t.is(await ints('is_same'), 1);
  t.is(await ints('has_nowhere'), 0);
  t.is(await jit.findSymbol('hid'), undefined);
  t.is(await ints('ask'), 9);
  const third = compile('int fine(void) { return 1; } int real(int x) { return x; }', flags);
  await t.throwsAsync(jit.addObject(third, { name: 'third.o' }), {
    instanceOf: LinkError,
    message: /^third\.o: real already defined by first\.o/,
  });
  t.is(await jit.findSymbol('fine'), undefined);
});

test('inline functions, templates and classes of C++ are one in all objects', async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  const common = `
inline int twice(int x) { static int calls = 0; return 2 * x + 100 * calls++; }
struct Base { virtual int f() { return 1; } virtual ~Base() {} };
`;
  const flags = ['-O1', '-fPIC'];
  await jit.addObject(
    compile(
      `${common} extern "C" int a(int x) { return twice(x); } Base *make() { return new Base; }`,
      flags,
      'c++',
    ),
  );
  await jit.addObject(
    compile(
      `${common} Base *make(); extern "C" int b(int x) { try { throw twice(x); } catch (int y) { return y + make()->f(); } }`,
      flags,
      'c++',
    ),
  );
  t.is(await (await jit.lookup('a', INT))(1), 2);
  t.is(await (await jit.lookup('b', INT))(1), 103);
});

test('an object and LLVM assembly call each other, and bitcode is taken under the name of an object', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(
    compile('int g(int); int f(int x) { return g(x) + 1; } int h(int x) { return x * 2; }', ['-O1']),
  );
  await jit.addObject(
    assembleIR(`
declare i32 @h(i32)
define i32 @g(i32 %x) {
  %y = call i32 @h(i32 %x)
  ret i32 %y
}`),
    { name: 'g.o' },
  );
  t.is(await (await jit.lookup('f', INT))(20), 41);
});

const patched = (at: number, value: number) => {
  const object = compile('int f(void) { return 1; }', ['-O1']);
  new DataView(object.buffer).setUint16(at, value, true);
  return object;
};
const REFUSED: readonly (readonly [what: string, object: () => Uint8Array, message: RegExp])[] = [
  [
    'addresses of 32 bits',
    () => compile('int n[2]; int f(int i) { return n[i]; }', ['-O1', '-fno-pic', '-mcmodel=small']),
    /addresses of 32 bits or less \(Pointer32.*\); compile it with -fPIC/,
  ],
  [
    'no machine code',
    () => compile('int f(void) { return 1; }', ['-O1', '-flto']),
    /made by gcc -flto and holds no/,
  ],
  ['another machine', () => patched(18, 183), /no linker for ELF machine 183/],
  ['an executable', () => patched(16, 2), /not a relocatable object: give what the compiler makes with -c/],
  ['a library', () => patched(16, 3), /not a relocatable object: .* load a library with --preload/],
  [
    'code that is writable',
    () => assemble('.section .x,"awx"\n.globl f\nf: ret'),
    /never both writable and exec/,
  ],
  ['no object', () => Buffer.from('Hello, world'), /malformed object at byte 0: not an ELF object/],
];

test('an object that cannot be linked is refused by name when it is added, and nothing of it is left', async (t) => {
  const { jit } = await openJIT(t);
  for (const [what, object, message] of REFUSED) {
    await t.throwsAsync(
      jit.addObject(object(), { name: 'dir/bad.o' }),
      {
        instanceOf: LinkError,
        code: 'LINK_ERROR',
        message: new RegExp(`^dir/bad\\.o(, section .*)?: .*${message.source}`, 's'),
      },
      what,
    );
    t.deepEqual(jit.definedNames(), [], what);
  }
  await jit.addObject(compile('int f(int x) { return x; }', []));
  t.is(await (await jit.lookup('f', INT))(4), 4);
});

test('an object that ends anywhere is refused with the place, and nothing of it is added', async (t) => {
  const { jit } = await openJIT(t);
  const object = compile(SOURCE, ['-O1', '-fPIC']);
  for (let length = 0; length < object.byteLength; length += 7) {
    const error = await t.throwsAsync(jit.addObject(object.subarray(0, length), { name: 'cut.o' }), {
      instanceOf: LinkError,
    });
    t.is(error.reason, 'malformed-object');
    t.is(error.details.graph, 'cut.o');
    t.is(typeof error.details.offset, 'number', error.message);
  }
  t.deepEqual(jit.definedNames(), []);
});

test('an object whose section headers say anything is added whole or not at all', async (t) => {
  const { jit } = await openJIT(t);
  const source = `#include <stdexcept>
    static thread_local int calls = 3;
    inline const char *const words[] = {"one", "two"};
    struct Base { virtual ~Base() = default; virtual int value(int) const = 0; };
    struct One : Base { int value(int n) const override { return n + 1; } } one;
    extern "C" int f(int n) { calls++; if (n < 0) throw std::runtime_error(words[n & 1]); return one.value(n) + calls; }`;
  const object = compile(source, ['-O1', '-fPIC', '-std=c++17', '-ffunction-sections'], 'c++');
  const whole = new DataView(object.buffer, object.byteOffset, object.byteLength);
  const [headersAt, count] = [Number(whole.getBigUint64(40, true)), whole.getUint16(60, true)];
  // Of `Elf64_Shdr`: offset and size of its fields.
  const fields = [0, 4, 8, 16, 24, 32, 40, 44, 48, 56].map((at) => [at, [0, 4, 40, 44].includes(at) ? 4 : 8]);
  let refusedCount = 0;
  for (let section = 0; section < count; section++)
    for (const [field = 0, sizeBytes] of fields)
      for (const value of [0n, 1n, 0xffff_ffffn, 2n ** 63n - 1n]) {
        const changed = Buffer.from(object);
        const at = headersAt + 64 * section + field;
        if (sizeBytes === 4) changed.writeUInt32LE(Number(value & 0xffff_ffffn), at);
        else changed.writeBigUInt64LE(value, at);
        const what = `section ${section}, ${field}: ${value}`;
        const added = await jit.addObject(changed, { name: 'changed.o' }).catch((error: unknown) => error);
        if (added instanceof Error) {
          refusedCount++;
          t.true(
            added instanceof LinkError && added.details.graph === 'changed.o',
            `${what}: ${added.message}`,
          );
          t.deepEqual(jit.definedNames(), [], what);
        } else await (added as ResourceTracker).remove();
      }
  t.true(refusedCount > count, `${refusedCount} of ${count} sections`);
  t.deepEqual(jit.definedNames(), []);
});
