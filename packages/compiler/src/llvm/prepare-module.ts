import type { IRModule } from './ir-module.js';
import { LLVMAttributeFunctionIndex, type LLVMAttributeRef, type LLVMValueRef } from './libllvm.js';
import type { TargetMachine } from './target-machine.js';

/** What every function's section is named with in front of the function's own name. */
const FUNCTION_SECTION_PREFIX = '.text.';

/** `llvm::UWTableKind::Async`: tables that hold at every instruction, as a walk from a trap needs. */
const UWTABLE_ASYNC = 2n;
/** The first version in which `uwtable` takes a kind. */
const UWTABLE_KIND_SINCE = 15;

/**
 * Makes a module fit for the executor: target triple and data layout of `machine`, and for every function it defines
 * a section of its own, by which the linker splits the object, a frame pointer and unwind tables, by which traps are
 * reported and threads unwound.
 *
 * A section that the function has already is left alone, and so are `target-cpu` and `target-features`: a function
 * without them gets the machine's.
 *
 * Functions of `programDefined` names, declared or there to be inlined, are marked `nobuiltin`: a program's own `fabs` is not libm's, which LLVM would
 * turn into an instruction.
 */
export function prepareModule(
  module: IRModule,
  machine: TargetMachine,
  programDefined: readonly string[] = [],
): void {
  const { llvm } = module;
  llvm.LLVMSetTarget(module.ref, machine.target.triple);
  const layout = llvm.LLVMCreateTargetDataLayout(machine.ref);
  llvm.LLVMSetModuleDataLayout(module.ref, layout);
  llvm.LLVMDisposeTargetData(layout);

  const attributes = makeAttributes(module);
  let unnamedCount = 0;
  for (let fn = llvm.LLVMGetFirstFunction(module.ref); fn !== 0n; fn = llvm.LLVMGetNextFunction(fn)) {
    if (programDefined.length > 0 && programDefined.includes(module.valueName(fn).toString('utf8')))
      llvm.LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, enumAttribute(module, 'nobuiltin'));
    if (llvm.LLVMIsDeclaration(fn) !== 0) continue;
    for (const attribute of attributes)
      llvm.LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, attribute);
    if (hasSection(module, fn)) continue;
    const name = module.valueName(fn);
    if (name.length === 0) unnamedCount++;
    llvm.LLVMSetSection(fn, sectionName(name, unnamedCount));
  }
}

function makeAttributes(module: IRModule): LLVMAttributeRef[] {
  const { llvm, context } = module;
  const uwtableKind = llvm.majorVersion >= UWTABLE_KIND_SINCE ? UWTABLE_ASYNC : 0n;
  return [
    llvm.LLVMCreateStringAttribute(context, 'frame-pointer', 'frame-pointer'.length, 'all', 'all'.length),
    enumAttribute(module, 'uwtable', uwtableKind),
  ];
}

function enumAttribute({ llvm, context }: IRModule, name: string, value = 0n): LLVMAttributeRef {
  const kind = llvm.LLVMGetEnumAttributeKindForName(name, BigInt(name.length));
  return llvm.LLVMCreateEnumAttribute(context, kind, value);
}

function hasSection(module: IRModule, fn: LLVMValueRef): boolean {
  const section = module.llvm.LLVMGetSection(fn);
  return section !== 0n && module.llvm.libc.strlen(section) > 0n;
}

/** NUL-terminated. A name's leading `\1` tells LLVM not to mangle it and is not part of the symbol. */
function sectionName(name: Buffer, unnamedCount: number): Buffer {
  const symbol = name[0] === 1 ? name.subarray(1) : name;
  const suffix = symbol.length > 0 ? symbol : Buffer.from(`__unnamed_${unnamedCount}`);
  return Buffer.concat([Buffer.from(FUNCTION_SECTION_PREFIX), suffix, Buffer.of(0)]);
}
