import { basename, dirname } from 'node:path';
import type { CallSignature } from '../calls/call-signature.js';
import { isOfDoubles } from '../calls/callable.js';
import { formatSignature } from '../calls/signature-text.js';
import { readBoundedFile } from '../files/bounded-file.js';
import type { PrototypeAST } from '../frontends/kaleidoscope/ast.js';
import type { KaleidoscopeJIT } from '../frontends/kaleidoscope/kaleidoscope-jit.js';
import { KEYWORDS as LEXER_KEYWORDS } from '../frontends/kaleidoscope/lexer.js';
import { CSourceError } from '../frontends/llvm/c-errors.js';
import { type CLanguage, LANGUAGE_OF_SUFFIX } from '../frontends/llvm/c-language.js';
import type { Dylib } from '../jit/dylib.js';
import type { AddCOptions } from '../jit/dylib-types.js';
import type { ResourceTracker } from '../jit/jit-types.js';
import { MAX_SOURCE_BYTES, SourceFileError } from './read-source.js';

/** A function of C that Kaleidoscope can call. */
export interface CFunction {
  readonly prototype: PrototypeAST;
  readonly target: { readonly dylib: Dylib; readonly name: string };
  /** As C has it, in LLVM's words. */
  readonly type: string;
}

/** What a source in C has come to. */
export interface AddedC {
  readonly functions: readonly CFunction[];
  /** What it defines besides, each with the reason why it cannot be called from here. */
  readonly others: readonly string[];
  /** Removes all of it, when no name leads there any more. */
  readonly remove: () => Promise<void>;
}

/** A source, and what clang has to know of it. */
interface CSource {
  readonly text: string;
  readonly name: string;
  readonly language: CLanguage;
  readonly directory?: string;
}

/** What Kaleidoscope can call a function. */
const NAME = /^[a-zA-Z][a-zA-Z0-9]*$/;
const KEYWORDS: ReadonlySet<string> = new Set(LEXER_KEYWORDS);
/** What ends like a source and has no place for a body is a file. */
const FILE = /^[^{}()]+(\.[^./{}()]+)$/;
/** What converts to and from a double as C does it. */
const CONVERTIBLE = /^(double|float|[iu]\d+)$/;

/**
 * Sources in C. Each is a dylib of its own, so that what it defines may have been defined before; names that it does not
 * define mean what the newest of the earlier ones says, and then what Kaleidoscope does.
 */
export class ReplC {
  readonly #jit: KaleidoscopeJIT;
  readonly #onWarnings: (words: string) => void;
  readonly #dylibs: Dylib[] = [];
  #count = 0;

  constructor(jit: KaleidoscopeJIT, onWarnings: (words: string) => void) {
    this.#jit = jit;
    this.#onWarnings = onWarnings;
  }

  /**
   * Adds functions of C, or a file.
   * @throws {CSourceError | CCompilerError | SourceFileError}
   */
  async add(text: string, signal?: AbortSignal): Promise<AddedC> {
    const { text: source, ...options } = await sourceOf(text);
    const cOptions = { ...options, ...(signal && { signal }) };
    const dylib = this.#createDylib();
    let tracker = await dylib.addC(source, { ...cOptions, onWarnings: this.#onWarnings });
    const found = callableFrom(dylib);
    const converted = found.callable.filter(([, signature]) => !isOfDoubles(signature));
    let notScalar: ReadonlySet<string> = new Set();
    if (converted.length > 0) {
      tracker.remove();
      ({ tracker, notScalar } = await addConverted(dylib, source, converted, cOptions));
    }
    const callable = found.callable.filter(([name]) => !notScalar.has(name));
    const others = [...found.others, ...[...notScalar].map((name) => `${name} is no function of scalars`)];
    this.#dylibs.unshift(dylib);
    await dylib.initialize({ ...(signal && { signal }) });
    const remove = async () => {
      await dylib.deinitialize();
      tracker.remove();
    };
    return { functions: callable.map((named) => callableOf(dylib, named)), others, remove };
  }

  /** Runs initialisers that have not run in the runner of now. */
  async initialize(): Promise<void> {
    for (const dylib of this.#dylibs) await dylib.initialize();
  }

  #createDylib(): Dylib {
    this.#count += 1;
    const dylib = this.#jit.createDylib(`c${this.#count}`);
    for (const earlier of [...this.#dylibs, this.#jit.mainDylib]) dylib.addToLinkOrder(earlier);
    return dylib;
  }
}

/** Whether a text in C goes on in the next line: it has no end, or a bracket or a comment is open. A word alone is a file. */
export function isUnfinishedC(text: string): boolean {
  if (/^\s*\S*\s*$/.test(text)) return false;
  const code = text.replaceAll(/"(\\.|[^"\\\n])*"|'(\\.|[^'\\\n])*'|\/\/.*|\/\*[\s\S]*?\*\//g, ' ');
  const open = (code.match(/[{([]/g) ?? []).length - (code.match(/[})\]]/g) ?? []).length;
  return open > 0 || code.includes('/*') || !/[};]\s*$/.test(code);
}

/** How names of sources end that `:c` takes. */
export const SOURCE_SUFFIXES = [...LANGUAGE_OF_SUFFIX].flatMap(([suffix, language]) =>
  language.startsWith('c') ? suffix : [],
);

/** Whether it is a word alone that does not end as sources do: neither a file nor a definition. */
export function isNoSource(text: string): boolean {
  return /^[^\s(){};]+$/.test(text) && !SOURCE_SUFFIXES.some((suffix) => text.endsWith(suffix));
}

async function sourceOf(text: string): Promise<CSource> {
  const [, suffix = ''] = FILE.exec(text) ?? [];
  const language = SOURCE_SUFFIXES.includes(suffix) ? LANGUAGE_OF_SUFFIX.get(suffix) : undefined;
  if (!language) return { text, name: '<c>', language: 'c' };
  try {
    const bytes = await readBoundedFile(text, MAX_SOURCE_BYTES);
    return { text: Buffer.from(bytes).toString(), name: basename(text), language, directory: dirname(text) };
  } catch (error) {
    throw new SourceFileError(text, error);
  }
}

type Named = readonly [name: string, signature: CallSignature];

function callableFrom(dylib: Dylib): { callable: Named[]; others: string[] } {
  const signatures = dylib.signatures();
  const callable: Named[] = [];
  const others: string[] = [];
  for (const name of dylib.definedNames()) {
    const signature = signatures.get(name);
    if (!signature) others.push(`${name} is no function of scalars`);
    else if (!NAME.test(name) || KEYWORDS.has(name)) others.push(`${name} is no name that Kaleidoscope has`);
    else if (!isConvertible(signature)) others.push(`${name} is ${formatSignature(signature)}`);
    else callable.push([name, signature]);
  }
  return { callable, others };
}

function isConvertible({ result, parameters }: CallSignature): boolean {
  const kinds = result === 'void' ? parameters : [result, ...parameters];
  return kinds.every((kind) => typeof kind === 'string' && CONVERTIBLE.test(kind));
}

/**
 * Adds a source with a function of doubles for each of its functions.
 * @param functions as LLVM has them: a small struct is passed as an integer is. Where one is, clang does not take the call.
 */
async function addConverted(
  dylib: Dylib,
  source: string,
  functions: readonly Named[],
  options: AddCOptions,
): Promise<{ tracker: ResourceTracker; notScalar: Set<string> }> {
  const notScalar = new Set<string>();
  const firstLine = source.split('\n').length + 1;
  for (;;) {
    const wrapped = functions.filter(([name]) => !notScalar.has(name));
    const wrappers = wrapped.map((named) => wrapper(named, options.language));
    try {
      return { tracker: await dylib.addC([source, ...wrappers, ''].join('\n'), options), notScalar };
    } catch (error) {
      if (!(error instanceof CSourceError)) throw error;
      const refused = error.diagnostics.flatMap(({ line, severity }) =>
        severity === 'error' ? (wrapped[line - firstLine]?.[0] ?? []) : [],
      );
      if (refused.length === 0) throw error;
      for (const name of refused) notScalar.add(name);
    }
  }
}

/** A function of doubles that calls it, in one line: C converts, by its declaration. */
function wrapper([name, { result, parameters }]: Named, language?: CLanguage): string {
  const names = parameters.map((_, index) => `x${index}`);
  const list = names.map((parameter) => `double ${parameter}`).join(', ') || 'void';
  const call = `${name}(${names.join(', ')})`;
  const body = result === 'void' ? `${call}; return 0;` : `return (double)${call};`;
  return `${language === 'c++' ? 'extern "C" ' : ''}double ${wrapperName(name)}(${list}) { ${body} }`;
}

function wrapperName(name: string): string {
  return `farjit_of_doubles_${name}`;
}

function callableOf(dylib: Dylib, [name, signature]: Named): CFunction {
  const parameters = signature.parameters.map((_, index) => `x${index}`);
  return {
    prototype: { name, parameters, isOperator: false, precedence: 0, range: { start: 0, end: 0 } },
    target: { dylib, name: isOfDoubles(signature) ? name : wrapperName(name) },
    type: formatSignature(signature),
  };
}
