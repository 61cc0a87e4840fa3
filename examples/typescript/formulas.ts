// Formulas that users write, in an application in TypeScript: each is compiled to native code, and what it does wrong costs the
// application nothing. `test/examples.test.ts` type-checks it, compiles it and runs it.
import { CSourceError, FarJITError, JIT, type JITCallable } from '@farjit/compiler';

type Formula = JITCallable<[x: number, y: number], number>;

/** Compiles the body of a function of x and y. */
async function compile(jit: JIT, name: string, body: string): Promise<Formula> {
  await jit.addC(`#include <math.h>\ndouble ${name}(double x, double y) { return ${body}; }`, { name });
  // The words of the signature are types: this is a (x: number, y: number) => Promise<number>.
  return jit.lookup(name, 'double(double, double)');
}

/** A value, or why there is none. */
async function evaluate(formula: Formula, x: number, y: number): Promise<number | string> {
  try {
    return await formula.call([x, y], { deadlineMs: 3000 });
  } catch (error) {
    if (error instanceof FarJITError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

const jit = await JIT.create();
try {
  const distance = await compile(jit, 'distance', 'sqrt(x * x + y * y)');
  console.log(await evaluate(distance, 3, 4));

  // A wrong formula is refused with its place, and nothing of it is left.
  const refused = await compile(jit, 'wrong', 'x + z').catch((error: unknown) => error);
  if (refused instanceof CSourceError) console.log(refused.diagnostics[0]?.message);

  // One that does not end is ended.
  const endless = await compile(jit, 'endless', '({ for (;;); x; })');
  console.log(await evaluate(endless, 1, 1));

  // The next call has a new process, and all that was compiled.
  console.log(await evaluate(distance, 6, 8));
} finally {
  await jit.close();
}
