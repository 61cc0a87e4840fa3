// A module built with llvm-bindings, added to a JIT. Run it with `node examples/add-module.mjs`; llvm-bindings wants LLVM 14.
import { JIT } from '@farjit/compiler';
import llvm from 'llvm-bindings';

const context = new llvm.LLVMContext();
const module = new llvm.Module('squares', context);
const builder = new llvm.IRBuilder(context);
const int = builder.getInt32Ty();
const type = llvm.FunctionType.get(int, [int, int], false);
const sumOfSquares = llvm.Function.Create(
  type,
  llvm.Function.LinkageTypes.ExternalLinkage,
  'sumOfSquares',
  module,
);
builder.SetInsertPoint(llvm.BasicBlock.Create(context, 'entry', sumOfSquares));
const [a, b] = [sumOfSquares.getArg(0), sumOfSquares.getArg(1)];
builder.CreateRet(builder.CreateAdd(builder.CreateMul(a, a), builder.CreateMul(b, b)));

const jit = await JIT.create();
// It stays yours: what it is now is what is added. LLVM verifies it, in a process of its own.
await jit.addModule(module);
const callable = await jit.lookup('sumOfSquares');
console.log(callable.signature, await callable(3, 4));
await jit.close();
