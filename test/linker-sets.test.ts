import test from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { openJIT } from './jit-fixture.js';

const INT = { result: 'i32', parameters: [] } as const;

const HEAD = `
struct reg { int (*call)(void); int value; };
#define REG(n, v) static int call_##n(void) { return v; } \\
  static struct reg reg_##n __attribute__((used, section("regs"))) = {call_##n, v};
`;
const WALK = `${HEAD}
extern struct reg __start_regs[], __stop_regs[];
int count(void) { return __stop_regs - __start_regs; }
int sum(void) { int all = 0; for (struct reg *r = __start_regs; r < __stop_regs; r++) all += r->call() * 100 + r->value; return all; }
int raise(void) { for (struct reg *r = __start_regs; r < __stop_regs; r++) r->value++; return 0; }
REG(a, 1) REG(b, 2)
int own(void) { return reg_a.value; }
void end(void) { __builtin_trap(); }`;
const MORE = `${HEAD} REG(c, 3) int value_of_c(void) { return reg_c.value; }`;
const NAMELESS = `${HEAD} REG(d, 4)`;

type JIT = Awaited<ReturnType<typeof openJIT>>['jit'];
const asObject =
  (...flags: string[]) =>
  (jit: JIT, source: string, name: string) =>
    jit.addObject(compile(source, flags), { name });
const asIR = (jit: JIT, source: string, name: string) => jit.addC(source, { name });
const FORMS = {
  'objects with one section for all code': asObject('-O1', '-fPIC'),
  'objects with a section for each function': asObject(
    '-O1',
    '-fPIC',
    '-ffunction-sections',
    '-fdata-sections',
  ),
  modules: asIR,
} as const;

const call = async (jit: JIT, name: string) => (await jit.lookup(name, INT))();

for (const [what, add] of Object.entries(FORMS))
  test(`who walks a linker set sees each member of all units once, as others see it: ${what}`, async (t) => {
    const { jit } = await openJIT(t);
    await add(jit, NAMELESS, 'nameless');
    await add(jit, WALK, 'walk');
    await add(jit, MORE, 'more');
    for (let generation = 1; generation <= 2; generation++) {
      // A member may be what is used first.
      if (generation === 2) t.is(await call(jit, 'value_of_c'), 3);
      t.is(await call(jit, 'count'), 4);
      t.is(await call(jit, 'sum'), 1010);
      await call(jit, 'raise');
      t.is(await call(jit, 'sum'), 1014);
      t.is(await call(jit, 'own'), 2);
      t.is(await call(jit, 'value_of_c'), 4);
      t.is(jit.runner.generation, generation);
      const end = await jit.lookup('end', { result: 'void', parameters: [] });
      await t.throwsAsync(end(), { code: 'EXECUTION_TRAP' });
    }
  });

test('modules and objects share a set, in the order in which they were added', async (t) => {
  const { jit } = await openJIT(t);
  await FORMS.modules(jit, NAMELESS, 'nameless.c');
  await asObject('-O1', '-fPIC')(jit, MORE, 'more.o');
  await jit.addC(
    `${HEAD} extern struct reg __start_regs[], __stop_regs[];
     int order(void) { int all = 0; for (struct reg *r = __start_regs; r < __stop_regs; r++) all = all * 10 + r->value; return all; }
     REG(e, 5)`,
  );
  t.is(await call(jit, 'order'), 435);
  t.is(jit.statistics().modulesCompiled, 2);
});

for (const [what, add] of Object.entries(FORMS))
  test(`what would add to a set in use, or take from it, is refused by name, and changes nothing: ${what}`, async (t) => {
    const { jit } = await openJIT(t);
    const walk = await add(jit, WALK, 'walk');
    t.is(await call(jit, 'count'), 2);
    const refused = { code: 'LINK_ERROR', message: /set of sections "regs" is in use/ };
    await t.throwsAsync(add(jit, MORE, 'more'), refused);
    t.is(await jit.findSymbol('value_of_c'), undefined);
    t.throws(() => walk.remove(), refused);
    t.is(await call(jit, 'sum'), 303);
    const end = await jit.lookup('end', { result: 'void', parameters: [] });
    await t.throwsAsync(end(), { code: 'EXECUTION_TRAP' });
    // Nothing is in use in the next runner.
    await add(jit, MORE, 'more');
    t.is(await call(jit, 'sum'), 606);
  });

test('sections that nobody walks are sections like others, and who comes late to walk them is refused', async (t) => {
  const { jit } = await openJIT(t);
  const add = asObject('-O1', '-fPIC');
  const more = await add(jit, MORE, 'more.o');
  t.is(await call(jit, 'value_of_c'), 3);
  await add(jit, NAMELESS, 'nameless.o');
  await t.throwsAsync(add(jit, WALK, 'walk.o'), {
    code: 'LINK_ERROR',
    message: /walk\.o.*set of sections "regs" is in use: add what names __start_regs before/,
  });
  more.remove();
  await add(jit, WALK, 'walk.o');
  t.is(await call(jit, 'sum'), 707);
});

test('bounds that are referred to weakly are null where nobody is in the set, and others are missing by name', async (t) => {
  const { jit } = await openJIT(t);
  await asObject('-O1', '-fPIC', '-ffunction-sections')(
    jit,
    `extern int __start_nobody[] __attribute__((weak)), __stop_nobody[] __attribute__((weak));
     int has(void) { return __start_nobody != 0 || __stop_nobody != 0; }
     extern int __start_none[]; int *none(void) { return __start_none; }`,
    'weak.o',
  );
  t.is(await call(jit, 'has'), 0);
  await t.throwsAsync(call(jit, 'none'), { message: /__start_none/ });
});

test('members of one set and of others keep their alignment, beside whatever else an object has', async (t) => {
  const { jit } = await openJIT(t);
  const add = asObject('-O1', '-fPIC');
  const member = (set: string, align: number, bytes: number) =>
    `char in_${set}_${align}[${bytes}] __attribute__((section("${set}"), aligned(${align}))) = {1};`;
  await add(jit, `char other = 1; ${member('first', 1, 3)} ${member('second', 64, 5)}`, 'a.o');
  await add(
    jit,
    `${member('first', 32, 8)} ${member('second', 2, 2)}
     extern char __start_first[], __stop_first[], __start_second[], __stop_second[];
     int first_bytes(void) { return __stop_first - __start_first; }
     int second_bytes(void) { return __stop_second - __start_second; }
     int aligned(void) { return ((long)in_first_32 & 31) == 0 && in_first_32 == __start_first + 32; }`,
    'b.o',
  );
  t.is(await call(jit, 'first_bytes'), 40);
  t.is(await call(jit, 'second_bytes'), 8);
  t.is(await call(jit, 'aligned'), 1);
});
