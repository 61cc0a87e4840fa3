import { copyOf } from '../../core/copy-of.js';
import type { ModuleIR } from '../../llvm/module-ir.js';
import { inputKindOf } from './input-kind.js';

/**
 * A module as LLVM's tools write it: bitcode, or LLVM assembly. Bytes, of which this is a copy, are a text when they do not
 * begin as bitcode does.
 */
export function irOf(content: string | Uint8Array): ModuleIR {
  if (typeof content === 'string') return { form: 'assembly', bytes: Buffer.from(content) };
  const isBitcode = inputKindOf(content) === 'bitcode';
  return { form: isBitcode ? 'bitcode' : 'assembly', bytes: copyOf(content) };
}
