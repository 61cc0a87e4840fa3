import { Diagnostic, LinkError } from '@farjit/compiler';
import test from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { archiveOf } from './archive-of.js';
import { evaluateAll, openJIT } from './jit-fixture.js';
import { openPool } from './pool-fixture.js';

const C = `double cube(double x) { return x * x * x; }
double sq(double);
double norm(double x, double y) { return sq(x) + sq(y); }
static double (*kept)(double);
void keep(void) { kept = sq; }
double callkept(double x) { return kept(x); }
int add(int a, int b) { return a + b; }
float half(float x) { return x / 2; }
double state = 1;
__int128 wide(__int128 x) { return x; }`;

test('Kaleidoscope calls functions of C with and without extern, and C calls Kaleidoscope’s', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addC(C, { name: 'c.c' });
  t.deepEqual(await evaluateAll(jit, 'cube(3); extern cube(x); cube(2);'), [27, 8]);
  t.deepEqual(await evaluateAll(jit, 'def sq(x) x * x; norm(3, 4);'), [25]);
  const norm = await jit.lookup('norm');
  t.is(await norm(1, 2), 5);
});

test('what an extern brings along of an archive is initialised, in a JIT and in a pool', async (t) => {
  const member = `double base; __attribute__((constructor)) static void up(void) { base = 100; }
    double above(double x) { return base + x; }`;
  const archive = archiveOf(t, { 'above.o': compile(member, ['-O1', '-fPIC', '-ffunction-sections']) });
  const source = 'extern above(x); def two(x) above(x) + above(x + 1);';
  const { jit } = await openJIT(t);
  await jit.addArchive(archive, { name: 'libabove.a' });
  await jit.addSource(source);
  await jit.initialize();
  t.deepEqual(await evaluateAll(jit, 'above(1); two(2);'), [101, 205]);
  const pool = await openPool(t, ['local', 'local']);
  await pool.addArchive(archive, { name: 'libabove.a' });
  const values = (await pool.addSource(`${source} above(1); two(2);`)).map((result) =>
    result.status === 'fulfilled' ? result.value : result.reason,
  );
  t.deepEqual(values, [101, 205]);
  const data = Float64Array.of(1, 2, 3);
  t.deepEqual(
    await pool.map('two', data, { chunk: 1 }),
    data.map((x) => 201 + 2 * x),
  );
});

test('a redefinition reaches callers in C, and pointers that C has kept', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addC(C, { name: 'c.c' });
  t.deepEqual(await evaluateAll(jit, 'def sq(x) x * x; def f(x) norm(x, x); f(2);'), [8]);
  await (await jit.lookup('keep'))();
  t.deepEqual(
    await evaluateAll(jit, 'callkept(3); def sq(x) x * 10; f(2); norm(1, 2); callkept(3);'),
    [9, 40, 30, 30],
  );
  // Objects are bound as modules are.
  await jit.addObject(
    compile('double sq(double); double twice(double x) { return sq(sq(x)); }', ['-O1', '-fPIC']),
  );
  t.deepEqual(await evaluateAll(jit, 'extern twice(x); twice(1); def sq(x) x + 1; twice(1);'), [100, 3]);
});

test('a definition in Kaleidoscope takes the place of one in C, and gives it back', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addC(C, { name: 'c.c' });
  t.deepEqual(
    await evaluateAll(jit, 'def g(x) cube(x); g(2); def cube(x) 0 - x; g(2); cube(5);'),
    [8, -2, -5],
  );
  await t.throwsAsync(jit.addC('double cube(double x) { return 1; }'), { instanceOf: LinkError });
});

for (const [call, type] of [
  ['add(1, 2)', 'i32(i32, i32)'],
  ['half(1)', 'float(float)'],
  ['wide(1)', 'no function of scalars'],
  ['state()', 'no function of scalars'],
] as const) {
  const name = call.slice(0, call.indexOf('('));
  test(`what is no function of doubles is refused, whatever an extern says: ${call}`, async (t) => {
    const { jit } = await openJIT(t);
    await jit.addC(C, { name: 'c.c' });
    const parameters = call.includes('2') ? 'x y' : call.includes('1') ? 'x' : '';
    for (const declaration of ['', `extern ${name}(${parameters});`]) {
      const [result] = await jit.addSource(`${declaration} ${call};`);
      if (result?.status !== 'rejected') return t.fail();
      t.true(result.reason instanceof Diagnostic);
      t.is(result.reason.message, `'${name}' is ${type}, and only functions of doubles are called from here`);
    }
    t.is(jit.runner.generation, 1);
  });
}

test('callers that are compiled already are refused when C defines what they call as something else', async (t) => {
  const { jit } = await openJIT(t);
  t.deepEqual(
    await evaluateAll(jit, 'extern labs(x y); def f(x) if x < 0 then labs(x, x) else x; f(1);'),
    [1],
  );
  await jit.addC('long labs(long x) { return x < 0 ? -x : x; }', { flags: ['-fno-builtin'] });
  const [result] = await jit.addSource('f(0 - 1);');
  t.is(result?.status, 'rejected');
  t.regex(String(result?.status === 'rejected' && result.reason.cause), /'labs' is i64\(i64\)/);
});
