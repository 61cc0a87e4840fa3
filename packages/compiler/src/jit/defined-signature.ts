import type { CallSignature } from '../calls/call-signature.js';
import type { PassedParts } from '../calls/passed-parts.js';
import type { FoundDefinition, SymbolRef } from '../core/jit-dylib.js';
import { ModuleUnit } from '../frontends/llvm/module-layer.js';
import { ObjectUnit } from '../frontends/llvm/object-unit.js';
import { FunctionUnit } from '../layers/function-unit.js';
import { HostFunctionUnit } from '../layers/host-function-unit.js';

/** How a function is called, as what defines it says: bitcode, a front end, or who has added an object or a
 * function in JavaScript. */
export function definedSignature({ unit, name }: FoundDefinition): CallSignature | undefined {
  if (unit instanceof FunctionUnit || unit instanceof HostFunctionUnit) return unit.signature;
  return unit instanceof ModuleUnit || unit instanceof ObjectUnit ? unit.signatures.get(name) : undefined;
}

/** Where a function that has no such signature has what it is passed, as the bitcode that defines it says. */
export function definedPassing(ref: SymbolRef): PassedParts | undefined {
  const { unit, name } = ref.dylib.lookup(ref.name);
  return unit instanceof ModuleUnit ? unit.passings.get(name) : undefined;
}
