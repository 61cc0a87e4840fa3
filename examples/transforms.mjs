// Transforms: each takes a module as bitcode before its passes, and gives back the bitcode that is compiled instead. Run
// it with `node examples/transforms.mjs`.
import { changeModule, KaleidoscopeJIT, loadLibLLVM } from '@farjit/compiler';

// The libLLVM that compiles, loaded here too: it reads what it has written.
const llvm = loadLibLLVM();
const LLVMAttributeFunctionIndex = -1;

/** Asks LLVM to keep the code of each function small. */
const keepSmall = (bitcode, { name }) =>
  changeModule(llvm, name, bitcode, (module) => {
    const kind = llvm.LLVMGetEnumAttributeKindForName('optsize', 7n);
    const optsize = llvm.LLVMCreateEnumAttribute(module.context, kind, 0n);
    const defined = module.functions().filter(({ isDeclaration }) => !isDeclaration);
    for (const { ref } of defined) llvm.LLVMAddAttributeAtIndex(ref, LLVMAttributeFunctionIndex, optsize);
    console.log(`${name} defines ${defined.map((fn) => fn.name).join(', ')}`);
  });

/** Cuts the beginning off one module. */
const cutHalf = (bitcode, { name }) => (name === 'half' ? bitcode.subarray(8) : bitcode);

const jit = await KaleidoscopeJIT.create({ transforms: [keepSmall, cutHalf], speculate: 'off' });
await jit.addSource('def twice(x) x + x; def half(x) x * 0.5;');

// What is changed is the caller's; what comes back has to be a module that can take the other's place.
console.log(await (await jit.lookup('twice'))(21));
await (await jit.lookup('half'))(42).catch((error) => console.log(error.cause.message));

await jit.close();
