import { FarJITError } from '@farjit/protocol/errors';
import { isOfDoubles } from '../calls/callable.js';
import { formatSignature } from '../calls/signature-text.js';
import type { PrototypeAST } from '../frontends/kaleidoscope/ast.js';
import type { KaleidoscopePool } from '../frontends/kaleidoscope/kaleidoscope-pool.js';
import { OperatorTable } from '../frontends/kaleidoscope/operators.js';
import { parseSource, type TopLevelItem } from '../frontends/kaleidoscope/parser.js';
import { quoted } from '../frontends/kaleidoscope/printable.js';
import type { CommandStreams } from './command-streams.js';
import { diagnosticReport } from './describe-error.js';
import { addLinkedFiles, type LinkOptions, readLinkedFiles } from './linked-files.js';
import { programFiles } from './program-inputs.js';
import { readSource } from './read-source.js';

/** A program of which a function is applied to data. */
export interface MappedProgram {
  /** Libraries that it wants to find in the runners. */
  readonly preload: readonly string[];
  /** The function's, where the source says them. */
  readonly parameters?: readonly string[];
  /** Adds its definitions. @returns the function's parameters. */
  addTo(pool: KaleidoscopePool): Promise<readonly string[]>;
}

/**
 * Reads a program.
 * @param name of the function.
 * @returns undefined when it has errors, which have been reported.
 * @throws {FarJITError} `NO_SUCH_FUNCTION`, also when it is added.
 */
export async function mappedProgram(
  name: string,
  paths: readonly string[],
  options: LinkOptions & { readonly executors?: readonly string[] | undefined },
  streams: CommandStreams,
  signal: AbortSignal,
): Promise<MappedProgram | undefined> {
  const { linked, kaleidoscope } = programFiles(paths);
  const isElsewhere = (options.executors ?? []).length > 0;
  const files = await readLinkedFiles(linked, options, isElsewhere, signal);
  const addFiles = (pool: KaleidoscopePool) => addLinkedFiles(pool, files, options, streams, signal);
  const preload = linked.length > 0 ? files.preload : [];
  if (kaleidoscope.length === 0)
    return {
      preload,
      addTo: async (pool) => {
        await addFiles(pool);
        return parametersOf(pool, name);
      },
    };
  const program = await kaleidoscopeProgram(name, kaleidoscope, streams, signal);
  return (
    program && {
      ...program,
      preload,
      addTo: async (pool) => {
        await addFiles(pool);
        return program.addTo(pool);
      },
    }
  );
}

async function kaleidoscopeProgram(
  name: string,
  [path = '-', ...others]: readonly string[],
  streams: CommandStreams,
  signal: AbortSignal,
): Promise<MappedProgram | undefined> {
  if (others.length > 0)
    throw new FarJITError('MIXED_PROGRAM', `${path} is Kaleidoscope, and a program of that is one file`);
  const source = await readSource(path, signal);
  const { items, diagnostics } = parseSource(source, new OperatorTable());
  for (const diagnostic of diagnostics) await streams.report(diagnosticReport(diagnostic));
  if (diagnostics.length > 0) return undefined;
  const { parameters } = findFunction(name, source.name, items);
  return {
    preload: [],
    parameters,
    addTo: async (pool) => {
      for (const item of items) {
        if (item.kind === 'definition') pool.addFunctionAST(item.function);
        else if (item.kind === 'extern') pool.addExtern(item.prototype);
      }
      return parameters;
    },
  };
}

/** The last prototype of the name, which is what it means when the program has been read. */
function findFunction(name: string, source: string, items: readonly TopLevelItem[]): PrototypeAST {
  const prototypes = items.flatMap((item) => {
    if (item.kind === 'definition') return item.function.prototype;
    return item.kind === 'extern' ? item.prototype : [];
  });
  const found = prototypes.findLast((prototype) => prototype.name === name);
  if (found && found.parameters.length > 0) return found;
  const names = [
    ...new Set(prototypes.filter(({ parameters }) => parameters.length > 0).map((one) => one.name)),
  ];
  throw new FarJITError(
    'NO_SUCH_FUNCTION',
    found
      ? `${quoted(name)} of ${source} has no parameters to take from data`
      : `${source} does not define ${quoted(name)}; it has ${names.map(quoted).join(', ') || 'no function with parameters'}`,
  );
}

/** Of a function in C, which has no names for them: columns are taken in order. */
async function parametersOf(pool: KaleidoscopePool, name: string): Promise<string[]> {
  const { signature } = await pool.lookup(name).catch((error: unknown) => {
    if (!(error instanceof FarJITError) || error.code !== 'NO_SIGNATURE') throw error;
    const words = `the signature of ${name} is not known`;
    throw new FarJITError(
      'NO_SIGNATURE',
      `${words}: if it takes doubles and gives one, give a .ks file too that has extern ${name}(x y);`,
    );
  });
  const { parameters } = signature;
  if (isOfDoubles(signature) && parameters.length > 0)
    return parameters.map((_, index) => `parameter ${index + 1}`);
  throw new FarJITError(
    'NO_SUCH_FUNCTION',
    `${quoted(name)} is ${formatSignature(signature)}, and data is for functions that take doubles and give one`,
  );
}
