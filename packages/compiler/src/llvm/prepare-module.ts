import type { IRModule } from './ir-module.js';
import { LLVMAttributeFunctionIndex, type LLVMAttributeRef, type LLVMValueRef } from './libllvm.js';
import type { TargetMachine } from './target-machine.js';

/** What every function's section is named with in front of the function's own name. */
export const FUNCTION_SECTION_PREFIX = '.text.';

/** `llvm::UWTableKind::Async`: tables that hold at every instruction, as a walk from a trap needs. */
const UWTABLE_ASYNC = 2n;
/** The first version in which `uwtable` takes a kind. */
const UWTABLE_KIND_SINCE = 15;

/**
 * Makes a module fit for the executor: target triple and data layout of `machine`, and for every function it defines
 * a section of its own, by which the linker splits the object, a frame pointer and unwind tables, by which traps are
 * reported and threads unwound, and the machine's CPU where the function names none.
 *
 * A section that the function has already is left alone.
 */
export function prepareModule(module: IRModule, machine: TargetMachine): void {
  const { llvm } = module;
  llvm.LLVMSetTarget(module.ref, machine.target.triple);
  const layout = llvm.LLVMCreateTargetDataLayout(machine.ref);
  llvm.LLVMSetModuleDataLayout(module.ref, layout);
  llvm.LLVMDisposeTargetData(layout);

  const attributes = makeAttributes(module, machine);
  let unnamedCount = 0;
  for (let fn = llvm.LLVMGetFirstFunction(module.ref); fn !== 0n; fn = llvm.LLVMGetNextFunction(fn)) {
    if (llvm.LLVMIsDeclaration(fn) !== 0) continue;
    for (const attribute of attributes.always) add(fn, attribute);
    for (const [key, attribute] of attributes.whenAbsent) {
      if (llvm.LLVMGetStringAttributeAtIndex(fn, LLVMAttributeFunctionIndex, key, key.length) === 0n)
        add(fn, attribute);
    }
    if (!hasSection(fn)) llvm.LLVMSetSection(fn, sectionName(module.valueName(fn)));
  }

  function add(fn: LLVMValueRef, attribute: LLVMAttributeRef): void {
    llvm.LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, attribute);
  }

  function hasSection(fn: LLVMValueRef): boolean {
    const section = llvm.LLVMGetSection(fn);
    return section !== 0n && llvm.libc.strlen(section) > 0n;
  }

  /** NUL-terminated. A name's leading `\1` tells LLVM not to mangle it and is not part of the symbol. */
  function sectionName(name: Buffer): Buffer {
    const symbol = name[0] === 1 ? name.subarray(1) : name;
    const suffix = symbol.length > 0 ? symbol : Buffer.from(`__unnamed_${++unnamedCount}`);
    return Buffer.concat([Buffer.from(FUNCTION_SECTION_PREFIX), suffix, Buffer.of(0)]);
  }
}

function makeAttributes(module: IRModule, machine: TargetMachine) {
  const { llvm, context } = module;
  const text = (key: string, value: string) =>
    llvm.LLVMCreateStringAttribute(context, key, key.length, value, Buffer.byteLength(value));
  const uwtable = llvm.LLVMGetEnumAttributeKindForName('uwtable', BigInt('uwtable'.length));
  const uwtableKind = llvm.majorVersion >= UWTABLE_KIND_SINCE ? UWTABLE_ASYNC : 0n;
  const { cpuName, cpuFeatures } = machine.target;
  const whenAbsent: [string, LLVMAttributeRef][] = [];
  if (cpuName !== '') whenAbsent.push(['target-cpu', text('target-cpu', cpuName)]);
  if (cpuFeatures !== '') whenAbsent.push(['target-features', text('target-features', cpuFeatures)]);
  return {
    always: [text('frame-pointer', 'all'), llvm.LLVMCreateEnumAttribute(context, uwtable, uwtableKind)],
    whenAbsent,
  };
}
