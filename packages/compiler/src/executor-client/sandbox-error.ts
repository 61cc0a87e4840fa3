import { FarJITError } from '@farjit/protocol/errors';
import { printable } from '@farjit/protocol/printable';
import type { SandboxLevel } from '@farjit/protocol/sandbox';

/**
 * The executor confines its runners less than this compiler requires.
 * @remarks Use another executor, or ask for less with `requireSandbox`.
 */
export class SandboxError extends FarJITError {
  /** What is not in force. */
  readonly shortfall: readonly string[];

  constructor(required: SandboxLevel, shortfall: readonly string[], missing: string) {
    const words = missing === '' ? '' : `; the executor says: ${printable(missing)}`;
    super(
      'SANDBOX_TOO_WEAK',
      `the sandbox is required to be ${required}, and the runner lacks ${shortfall.join(', ')}${words}`,
    );
    this.shortfall = shortfall;
  }
}
