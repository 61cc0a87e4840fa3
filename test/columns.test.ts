import { ArgumentError, JIT } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { Calculator } from './calculator.js';
import { parseAssembly } from './ir-module.js';

const x = Float64Array.from({ length: 1000 }, (_, index) => index / 8);
const y = x.map((value) => 100 - value);

async function open(t: ExecutionContext) {
  const jit = await JIT.create();
  t.teardown(() => jit.close());
  return jit;
}

test("a module's function of doubles is applied to columns without any language, in one round trip", async (t) => {
  const jit = await open(t);
  const half = await jit.addModule(
    parseAssembly(`
define double @half(double %x) {
  %y = fmul double %x, 5.0e-1
  ret double %y
}
define double @mean(double %x, double %y) {
  %sum = fadd double %x, %y
  %z = call double @half(double %sum)
  ret double %z
}
define i32 @whole(i32 %x) {
  ret i32 %x
}`),
  );
  t.deepEqual(
    await jit.applyToColumns('half', [x]),
    x.map((value) => value / 2),
  );
  t.deepEqual(
    await jit.applyToColumns('mean', [x, y]),
    x.map(() => 50),
  );
  t.deepEqual(await jit.applyToColumns('mean', [y, y]), y);
  t.like(jit.statistics(), { loopsCompiled: 2, modulesCompiled: 1, calls: 3 });
  t.is(jit.statistics().roundTrips.callAndRead, 3);
  await t.throwsAsync(jit.applyToColumns('mean', [x]), { instanceOf: ArgumentError, message: /takes 2/ });
  await t.throwsAsync(jit.applyToColumns('whole', [x]), { message: 'whole is not a function of doubles' });
  // What the name means next is what the next loop applies.
  half.remove();
  await t.throwsAsync(jit.applyToColumns('half', [x]), { instanceOf: ArgumentError });
  await jit.addModule(parseAssembly('define double @half(double %x) {\n ret double 7.0e0\n}'));
  t.deepEqual(
    await jit.applyToColumns('half', [x]),
    x.map(() => 7),
  );
});

test('a function of a language that has no loops of its own is applied to columns', async (t) => {
  const jit = await open(t);
  const calculator = new Calculator();
  const functions = jit.addFrontEnd(calculator);
  functions.define(calculator.parse('square(x) = x * x'));
  functions.define(calculator.parse('norm(x, y) = square(x) + square(y)'));
  t.deepEqual(
    await jit.applyToColumns('norm', [x, y]),
    x.map((value, index) => value * value + (y[index] ?? 0) ** 2),
  );
  functions.define(calculator.parse('square(x) = x'));
  t.deepEqual(
    await jit.applyToColumns('norm', [x, y]),
    x.map(() => 100),
  );
  // While the loop for one column is on its way, the function gets another parameter.
  functions.define(calculator.parse('f(x) = x + 1'));
  const late = jit.applyToColumns('f', [x]);
  functions.define(calculator.parse('f(x, y) = x + y'));
  await t.throwsAsync(late, { instanceOf: ArgumentError, message: /^f has another signature/ });
});
