import { fileURLToPath } from 'node:url';
import { findLibLLVM } from '#compiler/src/llvm/find-libllvm.js';
import { readPrograms } from '../directives.js';
import type { Suite } from '../run-suite.js';

/** Programs of the project's own, in folders by subject. */
export const PROGRAMS = fileURLToPath(new URL('../../../conformance/programs', import.meta.url));

export function ownSuite(): Suite {
  const programs = readPrograms(PROGRAMS);
  const { majorVersion } = findLibLLVM();
  const readable = programs.filter(({ llvm = majorVersion }) => llvm === majorVersion);
  return {
    name: 'own',
    about:
      'Programs of the project’s own in C and C++, in [folders by subject](../test/conformance/programs).',
    programs: readable,
    leftOut: { 'for another libLLVM': programs.length - readable.length },
  };
}
