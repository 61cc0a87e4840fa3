// node scripts/lib/laziness/thousand.mjs VARIANT auto|off: a thousand functions, of which one call reaches twenty. Prints as JSON what that
// took. The second word is the option `speculate`.
import { KaleidoscopeJIT } from '@farjit/compiler';
import llvm from 'llvm-bindings';

const FUNCTION_COUNT = 1000;
const REACHED_COUNT = 20;

const OPTIONS = {
  'first-code': {},
  llvm: { baseline: 'off' },
  module: { extraction: 'off' },
  pieces: { extraction: 'on' },
};

/** Whether a function calls no other. */
const isLast = (index) => index === REACHED_COUNT - 1 || index === FUNCTION_COUNT - 1;

/** f0 calls f1, that f2, and so on. */
function source() {
  const definition = (_, i) => (isLast(i) ? `def f${i}(x) x + 1;` : `def f${i}(x) f${i + 1}(x) + 1;`);
  return Array.from({ length: FUNCTION_COUNT }, definition).join('\n');
}

/** The same functions as one module. */
function buildModule() {
  const context = new llvm.LLVMContext();
  const module = new llvm.Module('thousand', context);
  const builder = new llvm.IRBuilder(context);
  const double = llvm.Type.getDoubleTy(context);
  const type = llvm.FunctionType.get(double, [double], false);
  const external = llvm.Function.LinkageTypes.ExternalLinkage;
  const declare = (_, i) => llvm.Function.Create(type, external, `f${i}`, module);
  const functions = Array.from({ length: FUNCTION_COUNT }, declare);
  for (const [i, fn] of functions.entries()) {
    builder.SetInsertPoint(llvm.BasicBlock.Create(context, 'entry', fn));
    const x = isLast(i) ? fn.getArg(0) : builder.CreateCall(functions[i + 1], [fn.getArg(0)]);
    builder.CreateRet(builder.CreateFAdd(x, llvm.ConstantFP.get(double, 1)));
  }
  return module;
}

const [variant, speculate] = process.argv.slice(2);
const options = { ...OPTIONS[variant], ...(speculate === 'off' && { speculate }) };
const jit = await KaleidoscopeJIT.create(options);

// What a session's first call brings along is not what is asked.
await jit.addSource('def warm(x) x;');
await (await jit.lookup('warm'))(1);
const before = jit.statistics();
const seen = { functions: 0, llvm: undefined };
jit.subscribe((event) => {
  if (event.type === 'compiled') seen.functions += event.functionCount;
  if (event.type === 'module-compiled') seen.llvm = event.llvmVersion;
});

if (variant === 'first-code' || variant === 'llvm') await jit.addSource(source());
const started = performance.now();
let buildMs = 0;
let addMs = 0;
if (variant === 'module' || variant === 'pieces') {
  const module = buildModule();
  buildMs = performance.now() - started;
  await jit.addModule(module);
  addMs = performance.now() - started - buildMs;
}
const value = await (await jit.lookup('f0'))(0);
const resultMs = performance.now() - started;
if (value !== REACHED_COUNT) throw new Error(`f0(0) is ${value}`);

const after = jit.statistics();
await jit.close();
const spent = (name) => after[name] - before[name];
console.log(
  JSON.stringify({
    irMs: buildMs + spent('irgenMs'),
    addMs,
    llvmMs: spent('llvmMs'),
    frontEndMs: spent('frontEndMs'),
    resultMs,
    functionCount: seen.functions,
    objectBytes: spent('objectBytes'),
    callbackCount: spent('compileCallbacks'),
    llvm: seen.llvm,
  }),
);
