import type { SectionProt } from '../link-graph.js';
import { isSetSection } from '../linker-sets.js';
import { isRunSection } from '../run-lists.js';
import * as elf from './object.js';

/**
 * The memory that a section goes to.
 * @throws {LinkError} `unsupported` for one that is both writable and executable.
 */
export function protOf(object: elf.ElfObject, section: elf.ElfSection): SectionProt {
  const isWritable = (section.flags & elf.SHF_WRITE) !== 0;
  if ((section.flags & elf.SHF_EXECINSTR) !== 0) {
    if (isWritable) throw object.unsupported('memory is never both writable and executable', section.name);
    return 'code';
  }
  if ((section.flags & elf.SHF_TLS) !== 0) return 'thread';
  // Members of a set are side by side, and some may be writable.
  if (isSetSection(section.name)) return 'data';
  // Writable for the relocations only, which are done before anything runs.
  const isWrittenOnce = /^\.data\.rel\.ro(\.|$)/.test(section.name) || isRunSection(section.name);
  return isWritable && !isWrittenOnce ? 'data' : 'constant';
}

/** Kept though no symbol leads there: initialisers, and what the GNU retain flag marks. */
export function isRetained(section: elf.ElfSection): boolean {
  return (
    (section.type >= elf.SHT_INIT_ARRAY && section.type <= elf.SHT_PREINIT_ARRAY) ||
    (section.flags & elf.SHF_GNU_RETAIN) !== 0
  );
}

/** In an object it is empty, and its flags say whether code is run on the stack. */
const STACK_NOTE = '.note.GNU-stack';

/** @throws {LinkError} `unsupported` for the note of an object that runs code on the stack. */
export function refuseExecutableStack(object: elf.ElfObject, { name, flags }: elf.ElfSection): void {
  if (name === STACK_NOTE && (flags & elf.SHF_EXECINSTR) !== 0)
    throw object.unsupported(
      'it runs code on its stack, and memory is never both writable and executable: gcc has such code made for ' +
        'nested functions whose address is taken, which -Wtrampolines names',
      name,
    );
}
