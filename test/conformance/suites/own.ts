import { fileURLToPath } from 'node:url';
import { readPrograms } from '../directives.js';
import type { Suite } from '../run-suite.js';

/** Programs of the project's own, in folders by subject. */
export const PROGRAMS = fileURLToPath(new URL('../../../conformance/programs', import.meta.url));

export function ownSuite(): Suite {
  return {
    name: 'own',
    about:
      'Programs of the project’s own in C and C++, in [folders by subject](../test/conformance/programs).',
    programs: readPrograms(PROGRAMS),
  };
}
