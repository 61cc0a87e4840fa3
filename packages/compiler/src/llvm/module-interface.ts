import type { CallSignature, ScalarKind } from '../kaleidoscope/call-signature.js';
import type { IRModule } from './ir-module.js';
import type { LibLLVM, LLVMTypeRef } from './libllvm.js';

/** What a module defines for others. */
export interface ModuleInterface {
  /** Functions by name; the signature is undefined when it is not one of scalars alone. */
  readonly functions: ReadonlyMap<string, CallSignature | undefined>;
  readonly data: ReadonlySet<string>;
}

/** `LLVMLinkage` values whose definitions stay inside their module, or are none. */
const NOT_EXPORTED: ReadonlySet<number> = new Set([
  1, // LLVMAvailableExternallyLinkage
  7, // LLVMAppendingLinkage
  8, // LLVMInternalLinkage
  9, // LLVMPrivateLinkage
]);

/** `LLVMTypeKind` values of the kinds a call block can hold. */
const TYPE_KIND = { void: 0, float: 2, double: 3, integer: 8, pointer: 12 } as const;

const INTEGER_KINDS: Readonly<Record<number, ScalarKind>> = {
  1: 'i1',
  8: 'i8',
  16: 'i16',
  32: 'i32',
  64: 'i64',
};

/** Names and types of a module's exported definitions. */
export function moduleInterface(module: IRModule): ModuleInterface {
  const { llvm } = module;
  const functions = new Map<string, CallSignature | undefined>();
  for (const { ref, name, isDeclaration } of module.functions())
    if (!isDeclaration && !NOT_EXPORTED.has(llvm.LLVMGetLinkage(ref)))
      functions.set(name, signatureOf(llvm, llvm.LLVMGlobalGetValueType(ref)));
  const data = new Set<string>();
  for (let ref = llvm.LLVMGetFirstGlobal(module.ref); ref !== 0n; ref = llvm.LLVMGetNextGlobal(ref))
    if (llvm.LLVMIsDeclaration(ref) === 0 && !NOT_EXPORTED.has(llvm.LLVMGetLinkage(ref)))
      data.add(module.valueName(ref).toString('utf8'));
  return { functions, data };
}

function signatureOf(llvm: LibLLVM, type: LLVMTypeRef): CallSignature | undefined {
  if (llvm.LLVMIsFunctionVarArg(type) !== 0) return undefined;
  const count = llvm.LLVMCountParamTypes(type);
  const types = Buffer.alloc(8 * count + 8);
  llvm.LLVMGetParamTypes(type, types);
  const parameters: ScalarKind[] = [];
  for (let i = 0; i < count; i++) {
    const kind = scalarKind(llvm, types.readBigUInt64LE(8 * i) as LLVMTypeRef);
    if (kind === undefined) return undefined;
    parameters.push(kind);
  }
  const returned = llvm.LLVMGetReturnType(type);
  const result = llvm.LLVMGetTypeKind(returned) === TYPE_KIND.void ? 'void' : scalarKind(llvm, returned);
  return result === undefined ? undefined : { result, parameters };
}

function scalarKind(llvm: LibLLVM, type: LLVMTypeRef): ScalarKind | undefined {
  switch (llvm.LLVMGetTypeKind(type)) {
    case TYPE_KIND.float:
      return 'float';
    case TYPE_KIND.double:
      return 'double';
    case TYPE_KIND.pointer:
      return 'ptr';
    case TYPE_KIND.integer:
      return INTEGER_KINDS[llvm.LLVMGetIntTypeWidth(type)];
    default:
      return undefined;
  }
}
