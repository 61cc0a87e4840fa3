import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { KeptObjects } from '../../cache/kept-objects.js';
import { libraryIdentity } from '../../cache/llvm-identity.js';
import { throwIfAborted } from '../../core/aborting.js';
import { OldBitcodeError } from '../../llvm/errors.js';
import { CCompilerError, CSourceError, parseDiagnostics } from './c-errors.js';
import { type CLanguage, languageOf } from './c-language.js';
import { runConfined } from './confined-tool.js';
import { inputKindOf } from './input-kind.js';
import { type CompiledSource, type CompilerRun, compileKept, isWorthKeeping } from './kept-c.js';

/** How a source is compiled. */
export interface COptions {
  /** As diagnostics call it: the file's, as a rule. */
  readonly name?: string;
  /** By the end of `name` unless given: `a.cpp` is C++, `a.s` assembly; C where that does not say. */
  readonly language?: CLanguage;
  /** More of clang's options: `-DNAME`, `-IDIRECTORY`, `-std=c17`. Directories and files in them can be read. */
  readonly flags?: readonly string[];
  /** Whose headers can be included in quotes; without it, no file of the caller's can be read. */
  readonly directory?: string;
  /** Ends clang: what waits for it rejects with `AbortError`. */
  readonly signal?: AbortSignal;
  /** Told what clang says of a source that it takes: warnings, as it writes them. */
  readonly onWarnings?: (words: string) => void;
}

/** What clang makes of C and C++: `bitcode`, which the code generator compiles, or an object with code of clang's own. */
export type CProduct = 'bitcode' | 'object';

/** No `optnone`; TBAA and lifetimes are kept. Options of the caller's may say another level. */
const OPTIMIZATION = ['-O1'];
/** No passes: those are the code generator's. */
const TO_BITCODE = ['-Xclang', '-disable-llvm-passes', '-c', '-emit-llvm'];
/** With sections of their own, functions and data are linked one by one. */
const TO_OBJECT = ['-c', '-ffunction-sections', '-fdata-sections'];
const ALWAYS = ['-fPIC', '-fno-color-diagnostics', '-ferror-limit=20', '-Wno-unused-command-line-argument'];

/** What editors put in front of UTF-8. */
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/** Where distributions keep programs, libraries and headers, and what finds libraries. */
const SYSTEM = ['/usr', '/lib', '/lib64', '/bin', '/etc/ld.so.cache'];
/** Beside a compiler that is elsewhere: its libraries and headers. */
const BESIDE = ['lib', 'lib64', 'include', 'share'];

/** What a clang program has its code in. */
const CLANG_LIBRARY = /^lib(clang-cpp|LLVM)[^/]*\.so[.\d]*$/;

/** Options whose value is a path, in one word with it or in two. */
const PATH_OPTION = /^(-I|-isystem|-iquote|-idirafter|-isysroot|-include|-imacros|--sysroot=|-B)(.*)$/;

/** Options that have passes, or libraries, put checks, counters or stacks into a program. */
const NOT_INSTRUMENTED = new RegExp(
  [
    '^-fsanitize=(.*,)?(address|hwaddress|kernel-\\w+|memory|memtag\\S*|thread|dataflow|fuzzer\\S*|leak|scudo|safe-stack)(,|$)',
    '^-fsanitize-coverage=',
    '^-f(cs-)?profile-(generate|instr-generate|arcs)(=|$)',
    '^-fmemory-profile(=|$)',
    '^-ftest-coverage$',
    '^--?coverage$',
    '^-fsplit-stack$',
  ].join('|'),
);

/** Options for what is said otherwise, and would be ignored. */
const SAID_OTHERWISE = [
  [/^-x/, 'its language is what its name says, or the option language'],
  [/^-o(?!bj)/, 'what clang makes is not for a file'],
] as const;

/** Far more than any source takes. */
const LIMITS = { wallMs: 300_000, cpuSeconds: 240, outputBytes: 256 * 1024 * 1024 };

/**
 * Compiles a source with clang, which is confined: it reads the system's headers, the source's directory, and what options name,
 * and nothing else; it has no network, and not all of the machine's time and memory.
 * @param kept where bitcode is kept of C++ and of large sources; none unless given.
 * @param product `bitcode` unless given.
 * @returns bitcode, or an object, for assembly always.
 * @throws {CSourceError} when clang refuses the source.
 * @throws {CCompilerError} when it cannot be started, or confined, or does not end.
 * @throws {AbortError} when the signal was aborted.
 */
export async function compileC(
  clang: string,
  source: string | Uint8Array,
  options: COptions = {},
  kept?: KeptObjects,
  product: CProduct = 'bitcode',
): Promise<Uint8Array> {
  const { name = 'source', language = languageOf(name), signal } = options;
  throwIfAborted(signal, notCompiled(name));
  refuseFlags(name, options.flags ?? []);
  const { directory } = options;
  if (directory !== undefined && !existsSync(directory))
    throw new CCompilerError(`there is no directory ${directory}, in which the headers of ${name} would be`);
  // As bytes: what is in strings need not be UTF-8.
  const bytes = Buffer.from(source);
  // Only in front of everything a mark says nothing.
  const unmarked = BYTE_ORDER_MARK.equals(bytes.subarray(0, 3)) ? bytes.subarray(3) : bytes;
  // To the preprocessor of assembly `# 1` is a comment, and to the assembler `#line` is one.
  const marker = language === 'assembler-with-cpp' ? '#line' : '#';
  const text = Buffer.concat([Buffer.from(`${marker} 1 ${JSON.stringify(name)}\n`), unmarked]);
  switch (language) {
    case 'assembler':
      return runClang(clang, text, ['-c', '-x', 'assembler'], options);
    case 'assembler-with-cpp': {
      // In one go it wants a temporary file.
      const preprocessed = await runClang(clang, text, ['-E', '-x', 'assembler-with-cpp'], options);
      return runClang(clang, preprocessed, ['-c', '-x', 'assembler'], options);
    }
    default: {
      // Its warnings are those of the bitcode.
      if (product === 'object')
        return runClang(clang, text, [...TO_OBJECT, '-x', language], { ...options, onWarnings: () => {} });
      const run = compilerRun(clang, text, language, options);
      const isKept = kept && isWorthKeeping(language, text) && (options.flags ?? []).every(isOfText);
      const { bitcode, words } = await (isKept ? compileKept(kept, run) : run.compileWhole());
      if (words !== '') options.onWarnings?.(words);
      return bitcode;
    }
  }
}

/**
 * Adds what clang makes of a source: bitcode, or an object where this libLLVM would read that otherwise than clang means it.
 * @throws as both do.
 */
export async function addCompiled<T>(
  compile: (product: CProduct) => Promise<Uint8Array>,
  add: (content: Uint8Array) => Promise<T>,
): Promise<T> {
  const bitcode = await compile('bitcode');
  try {
    return await add(bitcode);
  } catch (error) {
    if (!(error instanceof OldBitcodeError)) throw error;
    return add(await compile('object'));
  }
}

function compilerRun(clang: string, text: Buffer, language: 'c' | 'c++', options: COptions): CompilerRun {
  const compile = async (input: Uint8Array, as: string): Promise<CompiledSource> => {
    let words = '';
    const onWarnings = (said: string) => {
      words = said;
    };
    const bitcode = await runClang(clang, input, [...TO_BITCODE, '-x', as], { ...options, onWarnings });
    return { bitcode, words };
  };
  // Who compiles the whole says what is wrong with it.
  const orNothing = () => undefined;
  return {
    compiler: () => identityOf(programOf(clang)),
    options: [...optionsOf(options), language],
    name: options.name ?? 'source',
    preprocess: () =>
      runClang(clang, text, ['-E', '-x', language], { ...options, onWarnings: () => {} }).catch(orNothing),
    compile: (preprocessed) =>
      compile(preprocessed, language === 'c' ? 'cpp-output' : 'c++-cpp-output').catch(orNothing),
    compileWhole: () => compile(text, language),
  };
}

/** Whether an option says all that it does, or what it names is in the preprocessed text. */
function isOfText(flag: string): boolean {
  return /^-([DUWOI].*|w|std=.*|isystem.+|iquote.+|[fm][\w-]+|g\d?|pedantic|pthread)$/.test(flag);
}

/** The exact build of a clang, with the libraries beside it that it consists of. */
function identityOf(program: string): string {
  const directory = join(dirname(dirname(program)), 'lib');
  const names = existsSync(directory) ? readdirSync(directory) : [];
  const libraries = names.filter((name) => CLANG_LIBRARY.test(name)).map((name) => join(directory, name));
  return [program, ...libraries.filter(existsSync)].map(libraryIdentity).join(' ');
}

function optionsOf({ flags = [] }: COptions): string[] {
  return [...OPTIMIZATION, ...ALWAYS, ...flags];
}

/** @param task what is to be made of the text. */
async function runClang(
  clang: string,
  input: Uint8Array,
  task: readonly string[],
  options: COptions,
): Promise<Buffer> {
  const { name = 'source', flags = [], directory, onWarnings, signal } = options;
  const program = programOf(clang);
  const cwd = directory === undefined ? '/' : resolve(directory);
  const readable = [
    ...SYSTEM,
    ...BESIDE.map((folder) => join(dirname(dirname(program)), folder)),
    program,
    ...pathsIn(flags, cwd),
    ...(directory === undefined ? [] : [cwd]),
  ];
  const { output, words, end } = await runConfined(
    program,
    [...optionsOf(options), ...task, '-', '-o', '-'],
    {
      input,
      cwd,
      readable: [...new Set(readable)].filter((path) => path !== '/' && existsSync(path)),
      signal,
      limits: LIMITS,
    },
  );
  if (end === 'done') {
    if (!task.includes('-E')) refuseOther(output, { clang, name, flags });
    if (words !== '') onWarnings?.(words);
    return output;
  }
  throwIfAborted(signal, notCompiled(name));
  const diagnostics = parseDiagnostics(words);
  if (diagnostics.some(({ severity }) => severity.endsWith('error')))
    throw new CSourceError(name, words.trim(), diagnostics);
  throw new CCompilerError(`${clang} failed over ${name} (${end}): ${words.trim() || 'it does not say why'}`);
}

/** What an error says when its caller's signal was aborted. */
export function notCompiled(name: string): string {
  return `${name} was not compiled: its signal was aborted`;
}

/** @throws {CCompilerError} for what would be left out without a word, LLVM's passes of such options among it. */
function refuseFlags(name: string, flags: readonly string[]): void {
  const put = flags.findLast((given) => NOT_INSTRUMENTED.test(given));
  if (put !== undefined)
    throw new CCompilerError(
      `${name} is not compiled with ${put}: what that puts into a program is not supported`,
    );
  for (const [option, instead] of SAID_OTHERWISE) {
    const flag = flags.find((given) => option.test(given));
    if (flag !== undefined) throw new CCompilerError(`${name} is not compiled with ${flag}: ${instead}`);
  }
}

/** @throws {CCompilerError} for what is neither bitcode nor an object: clang was asked for something else. */
function refuseOther(
  output: Buffer,
  {
    clang,
    name,
    flags,
  }: { readonly clang: string; readonly name: string; readonly flags: readonly string[] },
): void {
  if (inputKindOf(output) !== undefined) return;
  const asked = flags.length === 0 ? '' : `: asked with ${flags.join(' ')}`;
  throw new CCompilerError(`${clang} made neither bitcode nor an object of ${name}${asked}`);
}

function programOf(clang: string): string {
  try {
    return realpathSync(clang);
  } catch (cause) {
    throw new CCompilerError(`there is no C compiler at ${clang}: give the path of a clang`, { cause });
  }
}

/** Files and directories that options name. */
function pathsIn(flags: readonly string[], cwd: string): string[] {
  return flags.flatMap((flag, index) => {
    const [, option, joined] = PATH_OPTION.exec(flag) ?? [];
    if (option === undefined) return [];
    const path = joined || flags[index + 1];
    return path === undefined ? [] : [isAbsolute(path) ? path : join(cwd, path)];
  });
}
