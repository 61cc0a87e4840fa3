import { FarJITError } from '@farjit/protocol/errors';
import { type ExecutorAddr, formatAddr } from '@farjit/protocol/executor-addr';

/** What kind of thing went wrong in a link; stable, for programs. */
export type LinkErrorReason =
  /** The object file breaks its format. */
  | 'malformed-object'
  /** The object is well-formed but asks for something that is not there: another machine, say. */
  | 'unsupported'
  /** A relocation type that this architecture's backend does not know. */
  | 'unknown-relocation'
  /** A fixup's value does not fit its field. */
  | 'out-of-range'
  /** An address that had to be aligned is not. */
  | 'misaligned'
  /** A name has two definitions. */
  | 'duplicate-definition'
  /** Names that nobody defines. */
  | 'missing-symbols'
  /** The graph needs more memory than one link may take. */
  | 'too-large';

/** Fields of a `LinkError`, each present when the case has it. */
export interface LinkErrorDetails {
  readonly graph: string;
  readonly section?: string;
  /** Where in the file the error is, in bytes. */
  readonly offset?: number;
  readonly symbol?: string;
  /** Name of the edge kind or of the object format's relocation. */
  readonly edgeKind?: string;
  readonly fixupAddress?: ExecutorAddr;
  readonly targetAddress?: ExecutorAddr;
  /** All names concerned, in the order met: of 'missing-symbols' and 'duplicate-definition'. */
  readonly names?: readonly string[];
}

/**
 * A link failed; nothing was written to the executor. The message begins with the graph's name and the section's, and names
 * the symbol, the edge kind and both addresses where the case has them.
 * @remarks Look at `kind`, and at the graph and the symbol in the message: rename or remove what is defined twice, or compile
 * the object as the message says.
 */
export class LinkError extends FarJITError {
  readonly reason: LinkErrorReason;
  readonly details: LinkErrorDetails;

  constructor(reason: LinkErrorReason, details: LinkErrorDetails, problem: string, options?: ErrorOptions) {
    const where =
      details.section === undefined ? details.graph : `${details.graph}, section ${details.section}`;
    super('LINK_ERROR', `${where}: ${problem}`, options);
    this.reason = reason;
    this.details = details;
  }
}

/** A fixup whose value does not fit; `range` says what would. */
export function outOfRangeError(
  details: LinkErrorDetails & { readonly fixupAddress: ExecutorAddr; readonly targetAddress: ExecutorAddr },
  range: string,
): LinkError {
  const target = `${formatAddr(details.targetAddress)}${details.symbol ? ` "${details.symbol}"` : ''}`;
  return new LinkError(
    'out-of-range',
    details,
    `relocation target ${target} is out of range of ${details.edgeKind} fixup at ` +
      `${formatAddr(details.fixupAddress)} (the value must be ${range})`,
  );
}

/** What compilers call for what a machine has no instruction for. */
const BUILTIN = /^__(atomic_|bid_|cpu_|trunc|extend|fix|float|u?(div|mod|mul)|popcount|parity|c[lt]z)/;

const BUILTINS_HINT =
  '; libgcc.a and libatomic.a (Debian: libgcc-12-dev), or compiler-rt (libclang-rt-14-dev), may have it, and are looked in';

/** Names that the graph refers to and that neither it nor anyone the context asked defines. */
export function missingSymbolsError(graph: string, names: readonly string[]): LinkError {
  const list = names.map((name) => `"${name}"`).join(', ');
  const them = names.length === 1 ? 'it' : 'them';
  return new LinkError(
    'missing-symbols',
    { graph, names },
    `no definition of ${list}; define ${them}, or declare ${them} extern and load a library that has ` +
      `${them}${names.some((name) => BUILTIN.test(name)) ? BUILTINS_HINT : ''}`,
  );
}
