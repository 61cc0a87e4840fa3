import { FarJITError } from '@farjit/protocol/errors';
import type { Diagnostic } from './diagnostic.js';

/**
 * The source has errors; nothing of it was added.
 * @remarks Mend what `diagnostics` say, and add the source again.
 */
export class SourceError extends FarJITError {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super('SOURCE_ERROR', diagnostics.map((diagnostic) => diagnostic.render()).join('\n'));
    this.diagnostics = diagnostics;
  }
}
