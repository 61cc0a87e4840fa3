import test from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { openJIT } from './jit-fixture.js';

/** Tables and variables that hold the address of a function of the process, and who keeps pointers to them. */
const TABLES = `
extern double cbrt(double);
typedef double (*fn)(double);
double near(double x) { return x; }
const fn table[9] = {cbrt, near, near, near, near, near, near, near, cbrt};
static struct { const fn *table; double count; fn own; double after; } state = {table, 0, cbrt, 7};
static const fn *const kept = table;
const void *address(void) { return table; }
const void *stateAddress(void) { return &state; }
double count(double x) { state.after *= 2; return state.count += x; }
double after(double x) { return state.after + x; }
double called(double x) { return table[8](x); }
double calledByState(double x) { return state.table[0](x) * 1000 + state.own(x); }
double calledAt(const fn *at) { return at[0](8); }`;
const DOUBLE = { result: 'double', parameters: ['double'] } as const;
const ADDRESS = { result: 'ptr', parameters: [] } as const;
const AT = { result: 'double', parameters: ['ptr'] } as const;
const FLAGS = ['-O1', '-fPIC', '-fno-inline', '-ffunction-sections', '-fdata-sections', '-fno-builtin'];

for (const language of ['objects', 'modules'] as const)
  test(`constants and variables stay where they are when a function they hold is redefined: ${language}`, async (t) => {
    const { jit } = await openJIT(t);
    if (language === 'objects') await jit.addObject(compile(TABLES, FLAGS), { name: 'tables.o' });
    else await jit.addC(TABLES, { name: 'tables.c', flags: ['-fno-builtin', '-fno-inline'] });
    const [count, after, called, calledByState] = await Promise.all(
      ['count', 'after', 'called', 'calledByState'].map((name) => jit.lookup(name, DOUBLE)),
    );
    const calledAt = await jit.lookup('calledAt', AT);
    const addresses = async () => [
      await (await jit.lookup('address', ADDRESS))(),
      await (await jit.lookup('stateAddress', ADDRESS))(),
    ];
    const [table, state] = (await addresses()) as [bigint, bigint];
    t.is(await count?.(5), 5);
    t.deepEqual([await called?.(8), await calledByState?.(8), await calledAt(table)], [2, 2002, 2]);
    for (const added of [1, 2]) {
      await jit.addSource(`def cbrt(x) x + ${added};`);
      t.deepEqual(await addresses(), [table, state]);
      // What holds the function holds the new one; what the program has written is there.
      t.deepEqual([await called?.(8), await calledByState?.(8)], [8 + added, (8 + added) * 1001]);
      t.is(await calledAt(table), 8 + added);
    }
    t.is(await count?.(1), 6);
    t.is(await after?.(0), 28);
  });

test('what is removed is given back, though it was to be bound anew', async (t) => {
  const { jit } = await openJIT(t);
  const allocated: number[] = [];
  for (let round = 0; round < 6; round++) {
    const object = await jit.addObject(compile(TABLES, FLAGS), { name: 'tables.o' });
    t.is(await (await jit.lookup('calledByState', DOUBLE))(8), 2002);
    const own = await jit.addObject(compile('double cbrt(double x) { return 7; }', FLAGS), { name: 'own.o' });
    object.remove();
    own.remove();
    // A call on the way of which all that waits is freed.
    for (let call = 0; call < 2; call++) await jit.addSource('1 + 1;');
    allocated.push(jit.allocatedBytes);
  }
  t.is(allocated.at(-1), allocated[1]);
});

test('a constant that waits to be bound anew stays where it is when its module is compiled again', async (t) => {
  const { jit } = await openJIT(t);
  // What LLVM knows by heart has the module compiled again, what it does not know has the constant bound again.
  const source = `
#include <unistd.h>
double cbrt(double);
typedef pid_t (*fn)(void);
const fn table[9] = {getpid, getpid, getpid, getpid, getpid, getpid, getpid, getpid, getpid};
const void *address(void) { return table; }
double root(double x) { return cbrt(x); }
int calledAt(const fn *at) { return at[8](); }`;
  await jit.addC(source, { name: 'table.c', flags: ['-O1', '-fno-inline'] });
  const [address, calledAt, root] = [
    await jit.lookup('address', ADDRESS),
    await jit.lookup('calledAt', { result: 'i32', parameters: ['ptr'] }),
    await jit.lookup('root', DOUBLE),
  ];
  const table = (await address()) as bigint;
  const processId = await calledAt(table);
  t.is(await root(8), 2);
  await jit.addC('int getpid(void) { return 5; }', { name: 'own.c' });
  await jit.addSource('def cbrt(x) x + 1;');
  t.is(await root(8), 9);
  // Others take what memory there is.
  for (let index = 0; index < 4; index++) {
    const words = Array.from({ length: 9 }, () => '1').join(', ');
    await jit.addC(
      `const long other${index}[9] = {${words}}; const void *take${index}(void) { return other${index}; }`,
      { name: `other${index}.c` },
    );
    t.not(await (await jit.lookup(`take${index}`, ADDRESS))(), table);
  }
  t.is(await calledAt(table), processId);
});

test('a variable that waits to be bound anew keeps its module from being compiled again', async (t) => {
  const { jit } = await openJIT(t);
  const source = `
#include <unistd.h>
double cbrt(double);
static struct { pid_t (*own)(void); double count; } state = {getpid, 0};
double root(double x) { return cbrt(x); }
double count(double x) { return state.count += x; }
double own(double x) { return x + state.own(); }`;
  await jit.addC(source, { name: 'state.c', flags: ['-O1', '-fno-inline'] });
  const [root, count, own] = [
    await jit.lookup('root', DOUBLE),
    await jit.lookup('count', DOUBLE),
    await jit.lookup('own', DOUBLE),
  ];
  const processId = await own(0);
  t.deepEqual([await root(8), await count(5), processId === 5], [2, 5, false]);
  await jit.addC('int getpid(void) { return 5; }', { name: 'own.c' });
  await jit.addSource('def cbrt(x) x + 1;');
  t.deepEqual([await root(8), await count(1), await own(0)], [9, 6, 5]);
});
