import { availableParallelism } from 'node:os';
import { monotonicMs } from '@farjit/protocol/clock';
import { nativeProgram } from '@farjit/protocol/native-program';
import { SessionClosedError } from '../core/errors.js';
import { aliasesOfObject, runListsOf, symbolsOfObject } from '../core/object-symbols.js';
import { buildLinkGraph } from '../jitlink/elf/elf.js';
import { findBitstreamDamage } from '../llvm/bitstream.js';
import { CompileError, OldBitcodeError } from '../llvm/errors.js';
import { findLibLLVM } from '../llvm/find-libllvm.js';
import { decodeModuleInterface, type ModuleInterface } from '../llvm/module-interface.js';
import type { ModuleIR } from '../llvm/module-ir.js';
import { modulePipeline, passPipeline } from '../llvm/pass-pipeline.js';
import { CODE_GEN_OPT_LEVEL, type TargetDescription } from '../llvm/target.js';
import { damagedBitcode, unreadableIR } from '../llvm/unreadable-ir.js';
import { CodegenLostError } from './codegen-lost-error.js';
import { type CodegenPoolOptions, checkCodegenPoolOptions } from './codegen-options.js';
import { CodegenProcess } from './codegen-process.js';
import { type CodegenAnswer, type CodegenRequest, type Product, Status } from './codegen-wire.js';
import type { CompileInput, CompileOutput, ModulePiece } from './compile-input.js';
import { type PassDump, readPassDumps } from './pass-dumps.js';

/** The one that is used unless another is named. */
export const DEFAULT_CODEGEN_PROGRAM = nativeProgram(
  new URL('../../codegen/farjit-codegen', import.meta.url),
);

/**
 * A function of the largest size that the checks let through takes LLVM some ten seconds on a busy machine; a module of
 * the caller's own may take longer, and one on which LLVM never ends must not keep a core for ever.
 */
const LIMIT_MS = 120_000;

/**
 * A module with guesses gets so much less: 3 seconds, unless another limit is given. Modules of 32 functions take LLVM some
 * 20 ms, and whoever is blocked for one of the functions waits for all.
 */
const GUESS_SHARE = 40;

/** Characters of IR after passes that are kept: of a function of the largest size, after all passes. */
const MAX_PRINTED = 64 * 1024 * 1024;

/** Of what is only read. */
const NO_FUNCTIONS: ModulePiece = { kind: 'functions', asked: [], compiled: [], most: 0 };
/** What reading a module does without. */
const NO_TARGET = { triple: '', cpuName: '', cpuFeatures: '' };

/** A process holds 60 MB, and another one is there in 15 ms. */
const REST_MS = 1000;

/**
 * What waits no longer than another process takes to start is done before that one could do it, and whoever starts it, the
 * compiler's own thread, has other work meanwhile.
 */
const START_MS = 15;

interface Done extends CodegenAnswer {
  readonly llvmVersion: string;
  readonly by: NonNullable<CompileOutput['by']>;
}

interface Job {
  readonly input: CompileInput;
  readonly product: Product;
  /** When it came, in `monotonicMs()`. */
  readonly since: number;
  resolve(answer: Done): void;
  reject(error: Error): void;
}

/**
 * The compile layer in processes of its own: LLVM leaves the event loop free, compiles on several cores, and may crash.
 * A process is started when there is work that no other has time for in a while. When there has been none, one is kept.
 */
export class CodegenPool implements AsyncDisposable {
  /** Finds the path of the libLLVM that its processes load. */
  readonly libLLVM: () => string;
  readonly #program: string;
  readonly #size: number;
  readonly #processes = new Set<CodegenProcess>();
  /** Waiting, in the order in which they came: those that a thread is blocked for, then those that can wait. */
  readonly #urgent: Job[] = [];
  readonly #background: Job[] = [];
  readonly #limitMs: number;
  readonly #restMs: number;
  #restTimer: NodeJS.Timeout | undefined;
  #helpTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @throws {ArgumentError} for options that are none. */
  constructor(options: CodegenPoolOptions = {}) {
    checkCodegenPoolOptions(options);
    const {
      libLLVM = () => findLibLLVM().path,
      size = availableParallelism(),
      program = DEFAULT_CODEGEN_PROGRAM,
      limitMs = LIMIT_MS,
      restMs = REST_MS,
    } = options;
    this.libLLVM = libLLVM;
    this.#size = size;
    this.#program = program;
    this.#limitMs = limitMs;
    this.#restMs = restMs;
  }

  /** Starts the first process, ahead of the first compilation. What is wrong with it, that one says. */
  start(): void {
    if (this.#processes.size > 0 || this.#stopped) return;
    try {
      this.#add();
    } catch {
      // The first compilation tries again, and says why.
    }
  }

  get processIds(): number[] {
    return [...this.#processes].map(({ processId }) => processId);
  }

  /**
   * @throws {BitcodeError | CompileError} when LLVM refuses the module.
   * @throws {CodegenLostError} when LLVM ends its process over it, or takes longer than the limit.
   * @throws {LibLLVMError} when no process can be started.
   */
  async compile(input: CompileInput): Promise<CompileOutput> {
    const { content, timings, llvmVersion, by } = await this.#run(input, 'object');
    return { object: content, llvmVersion, timings, by };
  }

  async print(input: CompileInput, what: 'ir' | 'asm'): Promise<string> {
    const { content } = await this.#run(input, what);
    return content.toString('utf8');
  }

  /**
   * Compiles a module once more, in a process of its own, and answers the IR of functions after each pass that LLVM ran on them.
   * @throws {CompileError | CodegenLostError | LibLLVMError} as `compile` does.
   */
  async printPasses(
    input: CompileInput,
    functions: readonly string[],
  ): Promise<{ readonly llvmVersion: string; readonly passes: PassDump[] }> {
    const pieces: string[] = [];
    let printed = 0;
    const onPrinted = (text: string) => {
      printed += text.length;
      if (printed <= MAX_PRINTED) pieces.push(text);
    };
    const process = new CodegenProcess(this.#program, this.libLLVM(), { functions, onPrinted });
    try {
      await process.ready;
      const { llvmVersion } = process;
      const answer = await process.request(requestFor(input, 'object', llvmVersion), this.#limitMs);
      if (answer.status !== Status.Done) throw new CompileError(input.name, answer.content.toString());
      // What it has printed may be behind its answer.
      await process.stop();
      return { llvmVersion, passes: readPassDumps(pieces.join('')) };
    } finally {
      await process.stop();
    }
  }

  /**
   * The module as bitcode after the passes, verified, for the target, and not yet fit for an executor: it can be compiled.
   * @throws {BitcodeError | CompileError | CodegenLostError | LibLLVMError} as `compile` does.
   */
  async writeBitcode(input: CompileInput): Promise<Uint8Array> {
    const { content } = await this.#run(input, 'bitcode');
    const damage = findBitstreamDamage(content);
    if (damage !== undefined)
      throw new CodegenLostError(input.name, `it answered with what is no bitcode: ${damage}`);
    return content;
  }

  /**
   * Reads and verifies a module, and answers what it defines for others.
   * @throws {BitcodeError | CompileError | CodegenLostError | LibLLVMError} as `compile` does.
   */
  readInterface(name: string, bitcode: Uint8Array): Promise<ModuleInterface> {
    return this.#describe(name, { form: 'bitcode', bytes: bitcode }, NO_TARGET);
  }

  /**
   * Reads and verifies what somebody else has made, as bitcode or LLVM assembly.
   * @param how.inPieces it is to be compiled piece by piece, if it can be: then each function is read and verified with its
   *   piece.
   * @returns the module as bitcode, and what it defines for others. What its own assembly defines, only its object says,
   *   which is made for that.
   * @throws {LinkError} when there is assembly, and the object holds what is not supported.
   * @throws {IRSyntaxError} for a text that is no LLVM assembly.
   * @throws {CompileError} also when the module is for another target.
   * @throws {BitcodeError | CompileError | CodegenLostError | LibLLVMError} as `compile` does.
   */
  async readModule(
    name: string,
    ir: ModuleIR,
    target: TargetDescription,
    how: { readonly inPieces?: boolean } = {},
  ): Promise<{ readonly bitcode: Uint8Array; readonly defines: ModuleInterface }> {
    const piece = how.inPieces && ir.form === 'bitcode' ? NO_FUNCTIONS : undefined;
    const defines = await this.#describe(name, ir, target, piece);
    const isBitcode = ir.form === 'bitcode';
    const bitcode = isBitcode
      ? ir.bytes
      : await this.writeBitcode({ name, ir, target, optLevel: 0, passes: '' });
    if (!defines.hasAssembly || target.triple === '') return { bitcode, defines };
    const { object } = await this.compile({ name, ir, target, optLevel: 0, passes: '' });
    const graph = buildLinkGraph(object, name);
    const symbols = new Map([...symbolsOfObject(graph), ...defines.symbols]);
    const aliases = aliasesOfObject(graph, symbols);
    return { bitcode, defines: { ...defines, symbols, aliases, runLists: runListsOf(graph) } };
  }

  async #describe(
    name: string,
    ir: ModuleIR,
    target: TargetDescription,
    piece?: ModulePiece,
  ): Promise<ModuleInterface> {
    const input = { name, ir, target, optLevel: 0, passes: '', piece } as const;
    const { content } = await this.#run(input, 'interface');
    try {
      return decodeModuleInterface(name, content);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new CodegenLostError(name, `it answered with what is no interface: ${String(error)}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Ends all processes and waits for that; what is under way rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#restTimer);
    clearTimeout(this.#helpTimer);
    await Promise.all([...this.#processes].map((process) => process.stop()));
  }

  async #run(input: CompileInput, product: Product): Promise<Done> {
    // LLVM 14's reader aborts on some of what this sees, and its words say less.
    const damage = input.ir.form === 'bitcode' ? findBitstreamDamage(input.ir.bytes) : undefined;
    if (damage !== undefined) throw damagedBitcode(input.name, damage);
    const done = await new Promise<Done>((resolve, reject) => {
      const queue = input.canWait ? this.#background : this.#urgent;
      queue.push({ input, product, since: monotonicMs(), resolve, reject });
      this.#dispatch();
    });
    if (done.status === Status.Done) return done;
    const reason = done.content.toString();
    if (done.status === Status.Bitcode) throw unreadableIR(input, done.llvmVersion, reason);
    const Failure = done.status === Status.OldBitcode ? OldBitcodeError : CompileError;
    throw new Failure(
      input.name,
      `Cannot ${product === 'interface' ? 'add' : 'compile'} module ${input.name}: ${reason.trim()}`,
    );
  }

  /** Gives waiting jobs to idle processes, and starts one more when those have been too few for a while. */
  #dispatch(): void {
    for (const process of this.#processes) {
      if (!process.isIdle) continue;
      const job = this.#hurried() ?? this.#urgent.shift() ?? this.#background.shift();
      if (!job) return;
      void this.#give(process, job);
    }
    const waitingCount = this.#urgent.length + this.#background.length;
    const startingCount = [...this.#processes].filter(({ isStarting }) => isStarting).length;
    if (waitingCount <= startingCount || this.#processes.size >= this.#size) return;
    const longest = Math.min(...[this.#urgent[0], this.#background[0]].map((job) => job?.since ?? Infinity));
    const patienceMs = this.#processes.size === 0 ? 0 : longest + START_MS - monotonicMs();
    if (patienceMs > 0) {
      clearTimeout(this.#helpTimer);
      this.#helpTimer = setTimeout(() => this.#dispatch(), patienceMs);
      return;
    }
    try {
      this.#add();
    } catch (error) {
      this.#rejectWaiting(error);
    }
  }

  /** One that could wait, and that somebody has come to wait for. */
  #hurried(): Job | undefined {
    const at = this.#background.findIndex(({ input }) => input.hurry?.isWanted);
    return at < 0 ? undefined : this.#background.splice(at, 1)[0];
  }

  async #give(process: CodegenProcess, { input, product, resolve, reject }: Job): Promise<void> {
    try {
      const { llvmVersion } = process;
      const request = requestFor(input, product, llvmVersion);
      const limitMs = input.holdsGuesses ? this.#limitMs / GUESS_SHARE : this.#limitMs;
      const sentNs = nowNs();
      const answer = await process.request(request, limitMs);
      const { processId } = process;
      const by = { processId, sentNs, answeredNs: nowNs(), passes: request.passes };
      // It opens the module for its next piece, which another may begin meanwhile.
      if (input.piece && this.#processes.delete(process)) this.#processes.add(process);
      resolve({ ...answer, llvmVersion, by });
    } catch (error) {
      reject(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#dispatch();
      this.#restLater();
    }
  }

  #restLater(): void {
    if (this.#stopped) return;
    this.#restTimer ??= setTimeout(() => this.#rest(), this.#restMs).unref();
    this.#restTimer.refresh();
  }

  /** Ends what is idle, except for one. */
  #rest(): void {
    const spare = [...this.#processes].filter(({ isIdle }) => isIdle);
    if (spare.length === this.#processes.size) spare.shift();
    for (const process of spare) void process.stop();
  }

  #add(): void {
    if (this.#stopped) throw new SessionClosedError('the code generators have been stopped');
    const process = new CodegenProcess(this.#program, this.libLLVM());
    this.#processes.add(process);
    void process.ended.then(() => {
      this.#processes.delete(process);
      this.#dispatch();
    });
    // One that cannot start says why to those who wait for it: the next would not fare better.
    process.ready.then(
      () => this.#dispatch(),
      (error: unknown) => this.#rejectWaiting(error),
    );
  }

  #rejectWaiting(error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error));
    for (const { reject } of [...this.#urgent.splice(0), ...this.#background.splice(0)]) reject(reason);
  }
}

function requestFor(input: CompileInput, product: Product, llvmVersion: string): CodegenRequest {
  return {
    product,
    codeGenOptLevel: CODE_GEN_OPT_LEVEL[input.optLevel],
    passes: input.passes ?? pipelineFor(input, { majorVersion: Number.parseInt(llvmVersion, 10) }),
    input,
  };
}

/** As `CompileOutput.by` says it. */
function nowNs(): bigint {
  return process.hrtime.bigint();
}

function pipelineFor(
  { ir: { form, bytes }, optLevel, piece }: CompileInput,
  llvm: { majorVersion: number },
): string {
  if (form === 'recording') return passPipeline(llvm, optLevel);
  // A module of pieces has none.
  if (piece) return modulePipeline(llvm, optLevel, { hasCoroutines: false });
  // Their intrinsics are called by name: bitcode has names in one table of text.
  const hasCoroutines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('llvm.coro.');
  return modulePipeline(llvm, optLevel, { hasCoroutines });
}
