import type { ModuleIR } from '../../llvm/module-ir.js';
import { inputKindOf } from './input-kind.js';

/** A module as LLVM's tools write it: bitcode, or LLVM assembly. Bytes that do not begin as bitcode does are a text. */
export function irOf(content: string | Uint8Array): ModuleIR {
  if (typeof content === 'string') return { form: 'assembly', bytes: Buffer.from(content) };
  const isBitcode = inputKindOf(content) === 'bitcode';
  return { form: isBitcode ? 'bitcode' : 'assembly', bytes: content };
}
