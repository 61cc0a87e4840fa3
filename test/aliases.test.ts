import test from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { parseAssembly } from './ir-module.js';
import { openJIT } from './jit-fixture.js';

const NAMES = `
int real(int x) { return x + 1; }
int other(int) __attribute__((alias("real")));
int soft(int) __attribute__((weak, alias("real")));
__asm__(".globl in_assembly\\n.set in_assembly, real\\n");`;
const USERS = `
typedef int (*fn)(int);
int real(int), other(int), soft(int), in_assembly(int);
static fn volatile kept = soft;
/* A compiler takes two declarations to be two functions. */
static int are_same(fn volatile a, fn volatile b) { return a == b; }
int is_same(void) { return are_same(real, other) && are_same(other, soft) && are_same(soft, in_assembly); }
int is_kept(void) { return kept == real; }
int is_soft_real(void) { return are_same(soft, real); }
int call_soft(int x) { return soft(x); }
int call_other(int x) { return other(x); }
int call_kept(int x) { return kept(x); }`;
const FLAGS = ['-O1', '-fPIC', '-ffunction-sections', '-fno-builtin'];
const NO_ARGUMENTS = { result: 'i32', parameters: [] } as const;
const INT = { result: 'i32', parameters: ['i32'] } as const;

for (const language of ['objects', 'modules'] as const)
  for (const order of ['names first', 'users first'])
    test(`names of one function have one address: ${language}, ${order}`, async (t) => {
      const { jit } = await openJIT(t);
      const add = (source: string, name: string) =>
        language === 'objects'
          ? jit.addObject(compile(source, FLAGS), { name })
          : jit.addC(source, { name, flags: ['-fno-builtin'] });
      const sources = [
        ['names.c', NAMES],
        ['users.c', USERS],
      ] as const;
      for (const [name, source] of order === 'names first' ? sources : sources.toReversed())
        await add(source, name);
      t.is(await (await jit.lookup('is_same', NO_ARGUMENTS))(), 1);
      t.is(await (await jit.lookup('is_kept', NO_ARGUMENTS))(), 1);
      const addresses = ['real', 'other', 'soft', 'in_assembly'].map((name) => jit.findSymbol(name));
      const [first, ...others] = (await Promise.all(addresses)).map((symbol) => symbol?.address);
      for (const address of others) t.is(address, first);
      t.is(await (await jit.lookup('call_soft', INT))(1), 2);
      t.is(await (await jit.lookup('call_kept', INT))(1), 2);
    });

test('a weak name that another takes over has an address of its own, and its callers are bound anew', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(compile(NAMES, FLAGS), { name: 'names.o' });
  await jit.addObject(compile(USERS, FLAGS), { name: 'users.o' });
  const callSoft = await jit.lookup('call_soft', INT);
  const callOther = await jit.lookup('call_other', INT);
  const isSoftReal = await jit.lookup('is_soft_real', NO_ARGUMENTS);
  t.deepEqual([await callSoft(1), await callOther(1), await isSoftReal()], [2, 2, 1]);
  const strong = await jit.addObject(compile('int soft(int x) { return x + 100; }', FLAGS), {
    name: 'soft.o',
  });
  t.deepEqual([await callSoft(1), await callOther(1), await isSoftReal()], [101, 2, 0]);
  jit.removeModule(strong);
  t.deepEqual([await callSoft(1), await callOther(1), await isSoftReal()], [2, 2, 1]);
});

test('where a function loses the name that gave it its address, its other names go on meaning it', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
define weak double @first(double %x) { ret double 1.0 }
@second = weak alias double (double), double (double)* @first
@third = weak alias double (double), double (double)* @first`),
  );
  await jit.addModule(
    parseAssembly(`
declare double @first(double)
declare double @second(double)
declare double @third(double)
define double @call(double %x) { %r = call double @second(double %x) ret double %r }
define double @compare(double %x) {
  %p = alloca double (double)*
  store volatile double (double)* @second, double (double)** %p
  %second = load volatile double (double)*, double (double)** %p
  %a = icmp eq double (double)* @first, %second
  %b = icmp eq double (double)* %second, @third
  %c = uitofp i1 %a to double
  %d = uitofp i1 %b to double
  %e = fmul double %d, 10.0
  %r = fadd double %c, %e
  ret double %r
}`),
  );
  const results = async () => {
    const values = await jit.addSource(
      'call(0); compare(0); extern first(x); extern third(x); first(0); third(0);',
    );
    return values.map((each) => (each.status === 'fulfilled' ? each.value : String(each.reason)));
  };
  t.deepEqual(await results(), [1, 11, 1, 1]);
  const other = await jit.addModule(parseAssembly('define double @first(double %x) { ret double 2.0 }'));
  t.deepEqual(await results(), [1, 10, 2, 1]);
  jit.removeModule(other);
  t.deepEqual(await results(), [1, 11, 1, 1]);
});

test('names of one indirect function have one address, and one resolver runs for all of them', async (t) => {
  const { jit } = await openJIT(t);
  const object = compile(
    `int count; static int body(int x) { return x * 3; }
     void *resolve(void) { count++; return body; }
     int f(int) __attribute__((ifunc("resolve")));
     int g(int) __attribute__((ifunc("resolve")));
     typedef int (*fn)(int);
     int is_same(void) { fn volatile a = f, b = g; return a == b; }
     int run(int x) { return f(x) + g(x) * 10 + count * 1000; }`,
    FLAGS,
  );
  await jit.addObject(object, { name: 'ifunc.o' });
  t.is(await (await jit.lookup('is_same', NO_ARGUMENTS))(), 1);
  const run = await jit.lookup('run', INT);
  await run(0);
  t.is(await run(1), 1033);
});

test('a static function is its weak name as long as that means it', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(
    compile(
      `static __attribute__((noinline)) int real(int x) { return x + 1; }
       int soft(int) __attribute__((weak, alias("real")));
       typedef int (*fn)(int);
       int is_same(void) { fn volatile a = real, b = soft; return a == b; }
       int call_both(int x) { fn volatile a = real; return a(x) * 1000 + real(x) * 100 + soft(x); }`,
      FLAGS,
    ),
    { name: 'static.o' },
  );
  const isSame = await jit.lookup('is_same', NO_ARGUMENTS);
  const callBoth = await jit.lookup('call_both', INT);
  t.deepEqual([await isSame(), await callBoth(1)], [1, 2202]);
  const other = await jit.addObject(compile('int soft(int x) { return 7; }', FLAGS), { name: 'soft.o' });
  t.deepEqual([await isSame(), await callBoth(1)], [0, 2207]);
  jit.removeModule(other);
  t.deepEqual([await isSame(), await callBoth(1)], [1, 2202]);
});
