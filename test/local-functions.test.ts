// More than 400 lines: cases that share what stands before them, each by itself.

import type { ObjectLinkingPlugin } from '@farjit/compiler';
import test from 'ava';
import { findClang } from '#compiler/src/frontends/llvm/find-clang.js';
import { findLibLLVM } from '#compiler/src/llvm/find-libllvm.js';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { openJIT } from './jit-fixture.js';

const INT = { result: 'i32', parameters: ['i32'] } as const;
const DOUBLE = { result: 'double', parameters: ['double'] } as const;
const SECTIONS = ['-fPIC', '-fno-inline', '-ffunction-sections', '-fdata-sections'];

/** What is linked, as the names of the functions that come with each part. */
function linkedFunctions(): { plugin: ObjectLinkingPlugin; functions: string[] } {
  const functions: string[] = [];
  const plugin: ObjectLinkingPlugin = {
    emitted: (_linked, graph) => {
      for (const { name } of graph.functions) functions.push(name.replace(/\$impl$/, ''));
    },
  };
  return { plugin, functions };
}

const CHAIN = `
#define NOINLINE __attribute__((noinline, noipa))
static NOINLINE int third(int x) { return x + 3; }
static NOINLINE int second(int x) { return third(x) * 2; }
static NOINLINE int never(int x) { return second(x) - 1; }
int first(int x) { return x < 0 ? never(x) : second(x) + 1; }`;

for (const level of ['-O0', '-O1', '-O2'])
  test(`of the static functions of an object only those that are called are linked: gcc ${level}`, async (t) => {
    const { plugin, functions } = linkedFunctions();
    const { jit } = await openJIT(t, { plugins: [plugin], speculate: 'off' });
    await jit.addObject(compile(CHAIN, [level, ...SECTIONS]), { name: 'chain.o' });
    const first = await jit.lookup('first', INT);
    t.is(await first(1), 9);
    t.deepEqual(
      functions.filter((name) => /^(first|second|third|never)$/.test(name)),
      ['first', 'second', 'third'],
    );
    t.is(await first(-1), 3);
    t.true(functions.includes('never'));
  });

/** Four hundred static functions that share a variable, each of which may call the one before it. */
const MANY = `
static long total;
#define NOINLINE __attribute__((noinline))
static NOINLINE long f0(long x) { return total += x; }
${Array.from({ length: 399 }, (_, i) => `static NOINLINE long f${i + 1}(long x) { total += x * ${i + 1}; return x > 1000000 ? f${i}(x - 1) : total; }`).join('\n')}
int few(void) { return (int)(f1(1) + f200(1) + f399(1)); }
int all(void) { return f399(1000400) > 0; }`;

for (const kind of ['object', 'C'] as const)
  test(`a program that calls few of many static functions is sent few ahead: ${kind}`, async (t) => {
    const { plugin, functions } = linkedFunctions();
    const { jit } = await openJIT(t, { plugins: [plugin] });
    const signatures = { few: 'i32()', all: 'i32()' };
    if (kind === 'C') await jit.addC(MANY, { name: 'many.c' });
    else await jit.addObject(compile(MANY, ['-O1', ...SECTIONS]), { name: 'many.o', signatures });
    const few = await jit.lookup('few', 'i32()');
    t.is(await few(), 802);
    const ofProgram = functions.filter((name) => !name.startsWith('call$'));
    t.true(ofProgram.length <= 12, ofProgram.join(' '));
    t.is(jit.statistics().compileCallbacks, 1);
    // One that goes on to others is sent more with each callback.
    t.is(await (await jit.lookup('all', 'i32()'))(), 1);
    t.is(new Set(functions.filter((name) => /^f\d/.test(name))).size, 400);
    t.true(jit.statistics().compileCallbacks <= 12, `${jit.statistics().compileCallbacks} callbacks`);
  });

test('so it is with the internal functions of a module', async (t) => {
  const { plugin, functions } = linkedFunctions();
  const { jit } = await openJIT(t, { plugins: [plugin], speculate: 'off' });
  await jit.addC(CHAIN.replace(', noipa', ''), { name: 'chain.c' });
  t.is(await (await jit.lookup('first'))(1), 9);
  t.false(functions.includes('never'));
  t.true(functions.includes('third'));
});

test('a program that calls few of many static functions links few of them, though all share a static variable', async (t) => {
  const many = Array.from(
    { length: 300 },
    (_, n) =>
      `static __attribute__((noinline)) int step${n}(int x) { seen += ${n}; return x < 0 ? ${n === 0 ? 'seen' : `step${n - 1}(x)`} : seen; }`,
  );
  const source = `#include <stdio.h>
    static int seen;
    ${many.join('\n')}
    int main(int argc, char **argv) {
      printf("%d ", step2(argc));
      printf("%d ", step150(argc));
      return printf("%d\\n", step299(argc)) - 4;
    }`;
  const inputs = { module: undefined, object: compile(source, ['-O1', ...SECTIONS]) };
  for (const [title, object] of Object.entries(inputs)) {
    const { plugin, functions } = linkedFunctions();
    // Guesses send ahead what is compiled, by bytes.
    const { jit, printed } = await openJIT(t, { plugins: [plugin], speculate: 'off' });
    if (object) await jit.addObject(object, { name: 'steps.o' });
    else await jit.addC(source, { name: 'steps.c' });
    t.is((await jit.runProgram({ argv: ['steps'] })).exitCode, 0, title);
    t.is(printed(), '2 152 451\n', title);
    t.true(
      ['main', 'step2', 'step150', 'step299'].every((name) => functions.includes(name)),
      title,
    );
    t.true(functions.length <= 12, `${title}: ${functions.join(', ')}`);
  }
});

test('functions of a module with jump tables are linked one by one too', async (t) => {
  const { plugin, functions } = linkedFunctions();
  const { jit } = await openJIT(t, { plugins: [plugin], speculate: 'off' });
  const choice = (name: string, linkage: string) => `
    ${linkage} __attribute__((noinline)) int ${name}(int x, int *p) {
      switch (x) { case 0: *p += 3; return 1; case 1: *p *= 2; return 7; case 2: *p -= 9; return 4;
        case 3: *p ^= 5; return 0; case 4: *p = 8; return 2; case 5: *p /= 3; return 5; }
      return *p;
    }`;
  await jit.addC(
    `${choice('inner', 'static')}${choice('outer', '')}${choice('never', 'static')}
     int f(int x) { int n = 10; int a = outer(x, &n); return x < 0 ? never(x, &n) : inner(a, &n) * 100 + n; }`,
    { name: 'choices.c', flags: ['-O1'] },
  );
  t.is(await (await jit.lookup('f'))(0), 700 + 26);
  t.deepEqual(functions.filter((name) => /^(f|inner|outer|never)$/.test(name)).toSorted(), [
    'f',
    'inner',
    'outer',
  ]);
});

const ADDRESSES = `
static int leaf(int x) { return x + 1; }
typedef int (*fn)(int);
static const fn table[] = { leaf };
static fn variable = leaf;
fn constants(void) { return table[0]; }
fn variables(void) { return variable; }
fn code(void) { return leaf; }
static int __attribute__((noinline)) self(int x) { variable = self; return x; }
int same(int x) {
  if (constants() != variables() || variables() != code()) return -1;
  x = leaf(x);
  if (constants() != code()) return -2;
  self(x);
  if (variables() != self) return -3;
  return code()(x) + constants()(x);
}`;

for (const [what, flags] of [
  ['gcc', ['-O1', ...SECTIONS]],
  ['gcc -O2, each function beside the others', ['-O2', '-fPIC', '-fno-inline']],
  ['gcc -O0', ['-O0', '-fPIC', '-ffunction-sections']],
  ['gcc -O2 -fno-plt', ['-O2', '-fno-plt', ...SECTIONS]],
] as const)
  test(`a static function has one address, wherever it is taken: ${what}`, async (t) => {
    const { jit } = await openJIT(t);
    await jit.addObject(compile(ADDRESSES, flags), { name: 'addresses.o' });
    t.is(await (await jit.lookup('same', INT))(1), 6);
  });

test('a static function has one address in a module too', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addC(ADDRESSES, { name: 'addresses.c', flags: ['-O1'] });
  t.is(await (await jit.lookup('same'))(1), 6);
});

const BOUND = `
extern double cbrt(double);
#define NOINLINE __attribute__((noinline, noipa))
static double total;
static _Thread_local double own;
static const char tag;
static const char *kept;
static NOINLINE double root(double x) { total += 1; own += 2; return cbrt(x); }
double direct(double x) { return root(x) * 10; }
double other(double x) { return root(x) * 100; }
double totals(double x) { return total * 1000 + own + x; }
double isKept(double x) { if (!kept) kept = &tag; return x + (kept == &tag); }
double rootAndTag(double x) { return cbrt(x) + isKept(0); }`;

test('static functions that are linked again take along who calls them, and static data stays as it is', async (t) => {
  const code = new Map<string, { address: bigint; calls: bigint[] }>();
  const plugin: ObjectLinkingPlugin = {
    emitted: ({ symbols }, { segments }) => {
      for (const [name, { address, sizeBytes }] of symbols)
        for (const { address: start, content, prot } of segments)
          if (prot === 'code' && address >= start && address < start + BigInt(content.byteLength))
            code.set(name.replace(/\0.*|\$impl$/s, ''), {
              address,
              calls: callTargets(content.subarray(Number(address - start)), address, sizeBytes),
            });
    },
  };
  const { jit } = await openJIT(t, { plugins: [plugin], speculate: 'off' });
  await jit.addObject(compile(BOUND, ['-O1', '-ftls-model=local-exec', ...SECTIONS.slice(1)]), {
    name: 'bound.o',
  });
  const [direct, other, totals] = await Promise.all(
    ['direct', 'other', 'totals'].map((name) => jit.lookup(name, DOUBLE)),
  );
  t.is(await direct?.(8), 20);
  t.is(await other?.(8), 200);
  t.is(await totals?.(0), 2004);
  const root = code.get('root')?.address ?? 0n;
  t.false(code.get('direct')?.calls.includes(root), 'what it calls was not linked yet');
  t.true(code.get('other')?.calls.includes(root), 'what it calls was linked before');
  await jit.addSource('def cbrt(x) x + 1;');
  t.is(await other?.(8), 900);
  t.is(await direct?.(8), 90);
  t.is(await totals?.(0), 4008);
  t.not(code.get('root')?.address, root);
});

/** Where calls (`e8 disp32`) of some code lead. */
function callTargets(content: Uint8Array, address: bigint, sizeBytes: number): bigint[] {
  const view = new DataView(content.buffer, content.byteOffset, sizeBytes);
  const targets: bigint[] = [];
  for (let at = 0; at + 5 <= sizeBytes; at++)
    if (view.getUint8(at) === 0xe8) targets.push(address + BigInt(at + 5 + view.getInt32(at + 1, true)));
  return targets;
}

test('a static constant keeps its address when a function that uses it is linked again', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(compile(BOUND, ['-O1', ...SECTIONS]), { name: 'bound.o' });
  const rootAndTag = await jit.lookup('rootAndTag', DOUBLE);
  t.is(await rootAndTag(8), 3);
  await jit.addSource('def cbrt(x) x + 1;');
  t.is(await rootAndTag(8), 10);
});

test('static functions of one name in two objects are two, and go with their objects', async (t) => {
  const { jit } = await openJIT(t, { speculate: 'off' });
  const source = (name: string, n: number) => `
    static __attribute__((noinline, noipa)) int step(int x) { return x + ${n}; }
    int ${name}(int x) { return step(x); }`;
  const one = await jit.addObject(compile(source('one', 1), ['-O1', ...SECTIONS]), { name: 'same.o' });
  await jit.addObject(compile(source('two', 2), ['-O1', ...SECTIONS]), { name: 'same.o' });
  t.is(await (await jit.lookup('one', INT))(0), 1);
  t.is(await (await jit.lookup('two', INT))(0), 2);
  one.remove();
  await jit.addObject(compile(source('one', 3), ['-O1', ...SECTIONS]), { name: 'same.o' });
  t.is(await (await jit.lookup('one', INT))(0), 3);
  t.is(await (await jit.lookup('two', INT))(0), 2);
});

test('a new runner links static functions anew, as they are called', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(
    compile(
      `static __attribute__((noinline, noipa)) int step(int x) { static int n; return n += x; }
       int next(int x) { return step(x); }
       int end(int x) { __builtin_trap(); }`,
      ['-O1', ...SECTIONS],
    ),
  );
  const next = await jit.lookup('next', INT);
  t.is(await next(1), 1);
  t.is(await next(1), 2);
  await t.throwsAsync((await jit.lookup('end', INT))(0), { code: 'EXECUTION_TRAP' });
  t.is(await next(5), 5);
});

test('a trap in a static function says its name', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(
    compile(
      `static __attribute__((noinline, noipa)) int fall(int x) { __builtin_trap(); }
       int outer(int x) { return fall(x) + 1; }`,
      ['-O1', '-fno-omit-frame-pointer', ...SECTIONS],
    ),
  );
  const error = await t.throwsAsync((await jit.lookup('outer', INT))(0), { code: 'EXECUTION_TRAP' });
  t.regex(error?.message ?? '', /\bfall\b/);
  t.notRegex(error?.message ?? '', /\0/);
});

test('calls of static functions keep what gcc believes them not to change', async (t) => {
  const { jit } = await openJIT(t);
  // With -fipa-ra a caller keeps values in registers that the callee is seen to leave alone.
  const source = `
    static __attribute__((noinline)) int leaf(int x) { return x ^ 5; }
    int keeps(int x) {
      int a = x + 1, b = x + 2, c = x + 3, d = x + 4;
      int r = leaf(x);
      return r + a * 3 + b * 5 + c * 7 + d * 11;
    }`;
  await jit.addObject(compile(source, ['-O2', '-fipa-ra', '-fPIC', '-ffunction-sections']));
  const x = 9;
  const expected = (x ^ 5) + (x + 1) * 3 + (x + 2) * 5 + (x + 3) * 7 + (x + 4) * 11;
  t.is(await (await jit.lookup('keeps', INT))(x), expected);
});

const LITERALS = `
static const char *const unset = "unset";
static inline const char *none(void) { return "none"; }
const char *value(int x) { return x ? unset : none(); }
int isUnset(const char *at) { return at == unset; }
int isNone(const char *at) { return at == none(); }
int compare(int x) { return isUnset(value(x)) * 10 + isNone(value(x)); }`;

test('a string has one address in an object, whichever of its functions refers to it', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(
    compile(LITERALS, ['-O2', '-fno-ipa-icf', ...SECTIONS.filter((f) => f !== '-fno-inline')]),
  );
  const compareValues = await jit.lookup('compare', INT);
  t.deepEqual([await compareValues(1), await compareValues(0)], [10, 1]);
  const value = await jit.lookup('value', 'ptr(i32)');
  const isUnset = await jit.lookup('isUnset', 'i32(ptr)');
  const isNone = await jit.lookup('isNone', 'i32(ptr)');
  const [unset, none] = [(await value(1)) ?? null, (await value(0)) ?? null];
  t.deepEqual(
    [await isUnset(unset), await isUnset(none), await isNone(unset), await isNone(none)],
    [1, 0, 0, 1],
  );
});

test('so it has in a module', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addC(LITERALS, { name: 'literals.c' });
  const value = await jit.lookup('value', 'ptr(i32)');
  const isUnset = await jit.lookup('isUnset', 'i32(ptr)');
  const isNone = await jit.lookup('isNone', 'i32(ptr)');
  const [unset, none] = [(await value(1)) ?? null, (await value(0)) ?? null];
  t.deepEqual([await isUnset(unset), await isUnset(none), await isNone(none)], [1, 0, 1]);
});

const KEPT = `
extern double cbrt(double);
static const char *kept, *keptToo, *keptName;
static const struct { const char *name; double (*root)(double); } entries[] = { { "of a table", cbrt }, { "b", 0 } };
double inTable(int which, double x) {
  const char *name = entries[which].name;
  if (!keptName) keptName = name;
  return entries[which].root(x) * 100 + (name == keptName) * 10 + (*keptName == 'o');
}
double plain(int which, double x) {
  const char *text = "a literal of one user";
  if (!kept) kept = text;
  return cbrt(x) * 100 + (text == kept) * 10 + (*kept == 'a') + which;
}
double choose(int which, double x) {
  const char *text = "one of a function that has a jump table";
  if (!keptToo) keptToo = text;
  switch (which) {
    case 0: x = cbrt(x); break;
    case 1: x = cbrt(x) * 3 - *keptToo; break;
    case 2: x = cbrt(x) / 5; break;
    case 3: x = cbrt(x + *keptToo); break;
    case 4: x = cbrt(x) * x; break;
    case 5: x = -cbrt(x); break;
  }
  return x * 100 + (text == keptToo) * 10 + (*keptToo == 'o');
}`;
/** Texts as long, to lie where others lay that are freed. */
const FILL = `
const char *fill(int x) { return "#####################" + x; }
const char *fillToo(int x) { return "#######################################" + x; }`;

for (const [what, input] of [
  ['gcc -O0', () => compile(KEPT, ['-O0', ...SECTIONS])],
  ['gcc -O1', () => compile(KEPT, ['-O1', ...SECTIONS])],
  ['clang -O2', () => compile(KEPT, ['-O2', ...SECTIONS], 'c', findClang(findLibLLVM().path))],
  ['a module', undefined],
] as const)
  test(`a constant of one function stays where it is when that is linked again: ${what}`, async (t) => {
    const { jit } = await openJIT(t, { speculate: 'off' });
    const type = 'double(i32, double)';
    const names = ['plain', 'choose', 'inTable'];
    if (input)
      await jit.addObject(input(), { signatures: Object.fromEntries(names.map((name) => [name, type])) });
    else await jit.addC(KEPT);
    const functions = await Promise.all(names.map((name) => jit.lookup(name, type)));
    const callAll = () => Promise.all(functions.map((fn) => fn(0, 8)));
    t.deepEqual(await callAll(), [211, 211, 211]);
    await jit.addSource('def cbrt(x) x + 1;');
    t.deepEqual(await callAll(), [911, 911, 911]);
    await jit.addObject(compile(FILL, ['-O1', ...SECTIONS]));
    for (const name of ['fill', 'fillToo']) await (await jit.lookup(name, 'ptr(i32)'))(0);
    t.deepEqual(await callAll(), [911, 911, 911]);
  });

test('constants of a module that is compiled again stay where they are until it is removed', async (t) => {
  const freed: bigint[] = [];
  const plugin: ObjectLinkingPlugin = {
    removing: ({ allocations }, _, done) => {
      freed.push(...allocations.map(({ address }) => address));
      done();
    },
  };
  const { jit } = await openJIT(t, { plugins: [plugin], speculate: 'off' });
  const module = await jit.addC(`
    extern double cbrt(double);
    const char *text(double x) { return cbrt(x) ? "a literal of one user" : 0; }`);
  await jit.addC('int first(const char *text) { return *text; }');
  const [text, first] = [await jit.lookup('text', 'ptr(double)'), await jit.lookup('first', 'i32(ptr)')];
  const kept = await text(8);
  if (typeof kept !== 'bigint') return t.fail();
  await jit.addSource('def cbrt(x) x + 1;');
  t.not(await text(8), kept, 'it was compiled again');
  await jit.addObject(compile(FILL, ['-O1', ...SECTIONS]));
  await (await jit.lookup('fill', 'ptr(i32)'))(0);
  t.is(await first(kept), 97);
  t.false(freed.includes(kept));
  module.remove();
  await first(kept);
  t.true(freed.includes(kept));
});
