// The compiler as a library: define, call, redefine, and look at what it took. Run it with `node examples/library.mjs`.
import { KaleidoscopeJIT } from '@farjit/compiler';

// Starts an executor, which starts a runner: the process that the code will run in.
const jit = await KaleidoscopeJIT.create();

// Defining compiles nothing and sends nothing.
await jit.addSource(`
  def square(x) x * x;
  def lengthSquared(a b) square(a) + square(b);
  def broken(x) missing(x);
`);

// A callable goes by name. This call compiles lengthSquared when it is reached, and square, which that is sure to call.
const lengthSquared = await jit.lookup('lengthSquared');
console.log(await lengthSquared(3, 4));

// A redefinition takes effect for callers that are compiled already.
await jit.addSource('def square(x) x;');
console.log(await lengthSquared(3, 4));

// A function that cannot be compiled rejects the call that reached it, and nothing else.
const broken = await jit.lookup('broken');
await broken(1).catch((error) => console.log(`${error.code}: ${error.message}`));

// Top-level expressions have values too, or reasons why not.
console.log(await jit.addSource('lengthSquared(1, 2);'));

const { functionsDefined, functionsCompiled, compileCallbacks, roundTrips } = jit.statistics();
console.log({ functionsDefined, functionsCompiled, compileCallbacks, reenter: roundTrips.reenter });

await jit.close();
