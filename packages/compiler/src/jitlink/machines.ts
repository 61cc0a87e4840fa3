import type { ElfBackend } from './elf/backend.js';
import { EM_X86_64, elfX86_64 } from './x86_64/elf-relocations.js';

/** The machines that are linked for, by their `e_machine`: the only place that names architectures. */
export const MACHINES: ReadonlyMap<number, ElfBackend> = new Map([[EM_X86_64, elfX86_64]]);
