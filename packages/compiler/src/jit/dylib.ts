// More than 400 lines: a method for each thing that is done with a dylib, and the errors of each.
import { FarJITError } from '@farjit/protocol/errors';
import { checkCallOptions } from '../calls/call-arguments.js';
import type { CallSignature } from '../calls/call-signature.js';
import type { JITCallable } from '../calls/callable.js';
import { fittingSignature, signatureFrom } from '../calls/given-signature.js';
import {
  type AnyHostFunction,
  type HostFunctions,
  hostSignature,
  refuseHostFunction,
} from '../calls/host-function.js';
import { checkMain, type ProgramResult, type RunProgress } from '../calls/programs.js';
import type { CallOptions } from '../calls/session-calls.js';
import type { ArgumentsOf, ResultOf } from '../calls/typed-signature.js';
import { throwIfAborted, untilAborted } from '../core/aborting.js';
import { AbsoluteSymbols } from '../core/absolute-symbols.js';
import { ArgumentError } from '../core/argument-error.js';
import { anyFunction, checkArgument, nameText } from '../core/arguments.js';
import { copyOf } from '../core/copy-of.js';
import { SymbolsNotFoundError } from '../core/errors.js';
import { type JITDylib, Reexports, type SymbolRef } from '../core/jit-dylib.js';
import { MaterializationUnit } from '../core/materialization-unit.js';
import { definingGenerator } from '../core/shared-questions.js';
import { FUNCTION } from '../core/symbol-flags.js';
import type { ArchiveMembers } from '../frontends/llvm/archive-members.js';
import { Builtins } from '../frontends/llvm/builtins.js';
import { addCompiled, type CProduct, compileC, notCompiled } from '../frontends/llvm/c-compiler.js';
import { findClang } from '../frontends/llvm/find-clang.js';
import { inputKindOf } from '../frontends/llvm/input-kind.js';
import { irOf } from '../frontends/llvm/ir-input.js';
import { moduleUnit, refuseThreadLocalsOf } from '../frontends/llvm/module-layer.js';
import { mayHavePieces } from '../frontends/llvm/module-pieces.js';
import { NeededMembers } from '../frontends/llvm/needed-members.js';
import {
  objectUnit,
  readObject,
  refuseThreadLocals,
  type VerifiedObject,
} from '../frontends/llvm/object-unit.js';
import { openArchive } from '../frontends/llvm/open-archive.js';
import type { VerifiedModule } from '../frontends/llvm/verified-module.js';
import { type BuiltModule, writeBitcode } from '../llvm/bitcode.js';
import type { ModuleIR } from '../llvm/module-ir.js';
import { archiveTracker } from './archive-tracker.js';
import { definedPassing, definedSignature } from './defined-signature.js';
import {
  checkAbsolute,
  checkAddArchive,
  checkAddC,
  checkAddIR,
  checkAddModule,
  checkAddObject,
  checkDylib,
  checkEntryOptions,
  checkHostFunctions,
  checkProgramSelection,
  checkReexports,
  checkVerifiedModule,
} from './dylib-arguments.js';
import type { DylibContext } from './dylib-context.js';
import type {
  AbsoluteDefinition,
  AddCOptions,
  AddOptions,
  ArchiveOptions,
  EntryOptions,
  NamedObject,
  ObjectOptions,
  ProgramSelection,
} from './dylib-types.js';
import type { JITSymbol, ResourceTracker } from './jit-types.js';
import { Program } from './program.js';
import { resourceTracker, trackerOfAll } from './resource-tracker.js';
import { type RunningProgram, runningProgram } from './running-program.js';

/** A name of the same dylib, or of another. */
export type ReexportTarget = string | { readonly dylib: Dylib; readonly name: string };

/** Supplies names when they are first needed, by defining them in the dylib. */
export type Generator = (names: readonly string[], dylib: Dylib) => void | Promise<void>;

/** A set of names that mean what is defined here, then what the dylibs in its link order export, then what the process has. */
export class Dylib {
  readonly #context: DylibContext;
  readonly #dylib: JITDylib;
  readonly #members: NeededMembers;
  /** Names of another JIT's lead into another process. */
  readonly #isOurs = (value: unknown): boolean =>
    value instanceof Dylib && value.#context.session === this.#context.session;

  /** @internal */
  constructor(context: DylibContext, dylib: JITDylib) {
    this.#context = context;
    this.#dylib = dylib;
    const [architecture = ''] = context.layers.pipeline.target.triple.split('-');
    const builtins = new Builtins(architecture, {
      isDefined: (symbol) => dylib.lookup(symbol).unit !== undefined,
      add: (member, name) => this.addObject(member, { name }),
    });
    this.#members = new NeededMembers(dylib, builtins);
    const supply = (names: readonly string[]) => builtins.supply(names);
    dylib.generators.push(definingGenerator(supply, { leavesWeak: true, isLast: true }));
  }

  get name(): string {
    return this.#dylib.name;
  }

  /** Names of all that is defined here. */
  definedNames(): string[] {
    return [...this.#dylib.entries()].map(([name]) => name);
  }

  /** How functions that are defined here are called, where that is known: those of scalars, by their names. */
  signatures(): ReadonlyMap<string, CallSignature> {
    const all = this.definedNames().map(
      (name) => [name, definedSignature(this.#dylib.lookup(name))] as const,
    );
    return new Map(all.filter((named): named is [string, CallSignature] => named[1] !== undefined));
  }

  /**
   * Adds a module built with llvm-bindings, which stays the caller's: what it is at the moment of the call is what is
   * added. It is compiled at the first call of one of its functions, and each function is linked at its own first call.
   * LLVM reads and verifies it in a code generator.
   * @throws {LinkError} as `defineModule`.
   * @throws {CompileError} when it does not verify.
   * @throws {CodegenLostError} when LLVM gives up on it.
   */
  async addModule(module: BuiltModule): Promise<ResourceTracker> {
    checkAddModule(module);
    const name = module.getModuleIdentifier() || 'module';
    return this.#addIR({ form: 'bitcode', bytes: writeBitcode(module) }, name);
  }

  /**
   * Adds a module that LLVM's tools have made: bitcode, also in a wrapper, or LLVM assembly. It is compiled and linked as
   * one of `addModule` is. A code generator reads and verifies it, of the libLLVM that compiles it.
   * @param options.name as errors call it: the file's, as a rule.
   * @throws {IRSyntaxError} for a text that is no LLVM assembly; it says where.
   * @throws {BitcodeError} for bitcode that is damaged, or of an LLVM that is newer than the code generator's.
   * @throws {CompileError} when it does not verify, is for another target, or asks for what is not supported.
   * @throws {LinkError} as `defineModule`.
   * @throws {CodegenLostError} when LLVM gives up on it.
   */
  async addIR(content: string | Uint8Array, options: AddOptions = {}): Promise<ResourceTracker> {
    checkAddIR(content, options);
    return this.#addIR(irOf(content), options.name ?? 'module');
  }

  /**
   * Adds a module that has been read and verified. Its weak, common and COMDAT definitions give way to others, and others to
   * its strong ones, as in a linker.
   * @throws {LinkError} `duplicate-definition` when two strong definitions have one name, or when data has to give way that
   *   is in use already; then nothing of the module is added.
   * @throws {CompileError} for thread-local variables where the executor has no room for them.
   */
  defineModule(module: VerifiedModule): ResourceTracker {
    checkVerifiedModule(module);
    const { pipeline, kept, extraction, isGuessing } = this.#context.layers;
    if (!this.#context.session.executor.threadLocals) refuseThreadLocalsOf(module);
    const isDefined = (name: string) => this.#dylib.lookup(name).unit !== undefined;
    const isHeldBack = () => this.#context.session.guesses.isHeldBack;
    return this.define(moduleUnit(pipeline, module, { isDefined, kept, extraction, isGuessing, isHeldBack }));
  }

  /**
   * Gives names to addresses, which are valid in one runner generation only.
   * @throws {LinkError} `duplicate-definition` when a name is defined already; then none is added.
   */
  defineAbsolute(symbols: Readonly<Record<string, AbsoluteDefinition>>): ResourceTracker {
    checkAbsolute(symbols);
    const definitions = Object.entries(symbols).map(([name, definition]) => {
      const symbol = typeof definition === 'bigint' ? { address: definition, callable: true } : definition;
      return [name, symbol] as const;
    });
    return this.define(new AbsoluteSymbols(new Map(definitions)));
  }

  /**
   * Gives other names to functions and data, whatever those names mean when they are looked up.
   * @throws {LinkError} `duplicate-definition` when a new name is defined already; then none is added.
   */
  reexport(names: Readonly<Record<string, ReexportTarget>>): ResourceTracker {
    checkReexports(names, this.#isOurs);
    const targets = Object.entries(names).map(([name, target]): [string, SymbolRef] => {
      const isOwn = typeof target === 'string';
      return [name, isOwn ? this.#dylib.ref(target) : target.dylib.#dylib.ref(target.name)];
    });
    return this.define(new Reexports(new Map(targets), FUNCTION));
  }

  /** Lets names that are not defined here mean what `other` exports, after the dylibs that were added before. */
  addToLinkOrder(other: Dylib): void {
    checkDylib(other, this.#isOurs);
    this.#context.session.definitions.addToLinkOrder(this.#dylib, other.#dylib);
    this.#context.onChanged(other.definedNames());
  }

  /**
   * Has `generator` asked for names that nobody defines, before the process is. Of a name it is asked once at a
   * time: others wait for the same answer, and it may look up itself what it is asked for.
   */
  addGenerator(generator: Generator): void {
    checkArgument(anyFunction, generator, 'generator');
    this.#dylib.generators.push(definingGenerator((names) => generator(names, this)));
  }

  /** For front ends: their code may ask for a name, so members of archives that define it are added before `initialize`. */
  declare(name: string): void {
    this.#members.need(name);
  }

  /**
   * Runs the initialisers that have not run in the runner of now (`llvm.global_ctors`, `.init_array` and its kin), as `dlopen`
   * does, in one call: those of the link order first, then by priority, then in the order in which all was added. Where
   * there are none, nothing is sent. Until they have run, what has them is not looked up, called or linked: that is
   * `INITIALIZERS_DUE`. A runner that is lost takes along what they did: they are due in the next one.
   * @throws {InitializationError} when one does not return. While the runner lives, those that have returned are not run again.
   */
  async initialize(options: CallOptions = {}): Promise<void> {
    checkCallOptions(options);
    await this.#members.add();
    return this.#context.platform.initialize(this.#dylib, options);
  }

  /**
   * Runs the finalisers of what is initialised, as `dlclose` does: `.fini_array` from the last to the first, then what
   * was given to `__cxa_atexit`. What had initialisers or finalisers is unlinked: its data has its initial values when it is
   * initialised again. Does nothing to the link order's.
   * @throws {InitializationError} when one does not return.
   */
  async deinitialize(options: CallOptions = {}): Promise<void> {
    checkCallOptions(options);
    return this.#context.platform.deinitialize(this.#dylib, options);
  }

  /**
   * Looks a name up from outside: hidden names are not found.
   * @throws {InitializersDueError} when its dylib has to be initialised first.
   */
  async findSymbol(name: string): Promise<JITSymbol | undefined> {
    checkArgument(nameText, name, 'name');
    const found = await this.#context.session.findSymbol(name, this.#dylib);
    return found && { name, ...found };
  }

  /**
   * A callable for a name, typed by the words.
   * @param signature in words, as `i32(ptr, i64)`, which `parseSignature` reads. Needed where none is known (process symbols that
   *   no `extern` declares, functions of objects, and those whose types are not all scalars), and for strings, arrays
   *   that are read back, structs, and integers without a sign.
   * @throws {SignatureError} when the words are none; it says where.
   * @throws {ArgumentError} for data, and when what defines the function says that it is called otherwise; so does a call of
   *   it, after a redefinition.
   * @throws {SymbolsNotFoundError}
   * @throws {InitializersDueError} when its dylib has to be initialised first; so does a call of it in a new runner.
   */
  async lookup<Signature extends CallSignature | string = CallSignature>(
    name: string,
    signature?: Signature,
  ): Promise<JITCallable<ArgumentsOf<Signature>, ResultOf<Signature>>> {
    const { session, calls } = this.#context;
    const given = signature === undefined ? undefined : signatureFrom(signature);
    const found = await session.tracing.inSpan('farjit.lookup', { 'farjit.symbol': name }, () =>
      this.findSymbol(name),
    );
    if (!found) throw new SymbolsNotFoundError([name]);
    if (found.kind === 'data') throw new ArgumentError(`${name} is data, not a function to call`);
    const ref = this.#dylib.ref(name);
    const signatureNow = given
      ? fittingSignature(given, () => definedSignature(this.#dylib.lookup(name)) ?? definedPassing(ref), name)
      : () => this.#context.signatureOf(ref);
    const known = signatureNow();
    if (!known)
      throw new FarJITError(
        'NO_SIGNATURE',
        `the signature of ${name} is not known; pass one, or declare it extern`,
      );
    // A redefinition may take other parameters, and a call must not pass what it took before.
    const callable: unknown = calls.callable(ref, () => signatureNow() ?? known);
    return callable as JITCallable<ArgumentsOf<Signature>, ResultOf<Signature>>;
  }

  /**
   * Adds an object that a compiler has made with `-c`: ELF, relocatable, position-independent. Each function is linked at
   * its own first call, if it has a section of its own (`-ffunction-sections`); those of one section are linked together.
   * Its weak, common and COMDAT definitions give way as those of modules do. Bitcode is taken as `addIR` takes it, whatever it
   * is called.
   * @throws {LinkError} when the object is malformed (`malformed-object`, with section and offset), for another machine or
   *   of a kind that is not linked (`unsupported`), or as `defineModule`; then nothing of it is added.
   * @throws {SignatureError}
   */
  async addObject(content: Uint8Array, options: ObjectOptions = {}): Promise<ResourceTracker> {
    checkAddObject(content, options);
    return this.#addObject(content, { name: 'object', ...options });
  }

  async #addObject(content: Uint8Array, { name, signatures, signal }: NamedObject): Promise<ResourceTracker> {
    if (inputKindOf(content) === 'bitcode') return this.#addIR(irOf(content), name, signal);
    throwIfAborted(signal, notCompiled(name));
    const { triple } = this.#context.layers.pipeline.target;
    return this.defineObject(readObject(copyOf(content), name, triple, signatures));
  }

  /**
   * Adds an object that has been read, as `addObject` does, with its errors.
   * @internal
   */
  defineObject(object: VerifiedObject): ResourceTracker {
    if (!this.#context.session.executor.threadLocals) refuseThreadLocals(object);
    return this.define(objectUnit(object));
  }

  /**
   * Adds an archive, as `ar` makes them of objects and bitcode: a member is added, as `addObject` adds it, when a name that
   * it defines is needed and nobody defines it: when that is linked, or, before a program begins and before `initialize`, with
   * all others that are needed by then, and with those that give a common variable a value. It is asked after what was added
   * before it, and before the process is.
   * @param options.directory where the members of a thin archive are.
   * @throws {LinkError} `malformed-object`, with the offset, for the archive, or a member that the index does not mention.
   *   What is wrong with other members is met, and said, when they are needed.
   * @returns what removes it, and the members that have been added by then; its names are those that they define.
   */
  async addArchive(content: Uint8Array, options: ArchiveOptions = {}): Promise<ResourceTracker> {
    checkAddArchive(content, options);
    const { name = 'archive', directory } = options;
    const { codegen, layers } = this.#context;
    const members = await openArchive(
      { content: copyOf(content), name, directory },
      {
        codegen,
        target: layers.pipeline.target,
        isDefined: (symbol) => this.#dylib.lookup(symbol).unit !== undefined,
        add: (member, title) => this.#addObject(member, { name: title }),
      },
    );
    return archiveTracker(members, this.addMembers(members));
  }

  /**
   * Has an archive that has been opened supply what is needed, as `addArchive` does, until what this gives is removed.
   * @internal
   */
  addMembers(members: ArchiveMembers): ResourceTracker {
    return resourceTracker({ names: () => [], remove: this.#members.addArchive(members) });
  }

  /**
   * Adds a C or C++ source, or assembly, compiled by clang: confined, it reads the system's headers, `directory` and what
   * `flags` name, and nothing else. It becomes bitcode without passes, which `addIR` takes; assembly becomes an object, and so
   * does what a newer LLVM reads otherwise than that clang means it (`OldBitcodeError`).
   * C++ wants `libstdc++.so.6` preloaded in the executor.
   * @param addOptions.cc path of a clang; by default the newest whose bitcode the code generator's libLLVM reads.
   * @throws {CSourceError} for a source that clang refuses; it says where.
   * @throws {CCompilerError} when there is no clang (it says how to install it), or it cannot be run.
   * @throws as `addIR` and `addObject`.
   */
  async addC(source: string | Uint8Array, addOptions: AddCOptions = {}): Promise<ResourceTracker> {
    checkAddC(source, addOptions);
    const { name = 'source', signal } = addOptions;
    const own = typeof source === 'string' ? source : copyOf(source);
    return addCompiled(
      (product) => this.compileC(own, addOptions, product),
      (content) => this.#addObject(content, { name, signal }),
    );
  }

  /**
   * What `addC` adds: bitcode, found where it is kept, or an object.
   * @throws as `addC`.
   * @internal
   */
  async compileC(
    source: string | Uint8Array,
    addOptions: AddCOptions,
    product: CProduct,
  ): Promise<Uint8Array> {
    checkAddC(source, addOptions);
    const { cc, ...options } = addOptions;
    const { codegen, layers } = this.#context;
    return compileC(cc ?? findClang(codegen.libLLVM()), source, options, layers.kept, product);
  }

  /**
   * Runs a program: `exit(main(argc, argv, envp))`, of any of the signatures that C knows, in the session's runner, which ends
   * with it. Initialisers that are due run before `main`, in the same call, and finalisers when it exits.
   * What ends it by itself is the result: `exit` from any thread, `main`'s return, the last thread's end after
   * `pthread_exit` in `main`, a signal. The next call has a new runner; listeners hear of the old one's end as of any.
   * Output that a program has not flushed when it dies of a signal is lost, as natively, but for what a trap finds in `stdout`.
   * @throws {SymbolsNotFoundError} when nobody defines the entry.
   * @throws {ArgumentError} when the entry is no such function, or `argv` or `env` has what C cannot hold.
   * @throws {ProgramRunningError} when a program runs in this session already.
   * @throws {HeapInUseError} when it defines functions of memory, and calls have run in its runner.
   * @throws {FeatureError} when the executor is of a release that runs no programs.
   * @throws {FilesError} when it cannot be given its files; it says which, and why.
   * @throws {ProgramInputError} when `stdin` has thrown: the program was ended.
   * @throws as a `JITCallable`, where the program has not ended by itself.
   */
  runProgram(options: EntryOptions = {}): RunningProgram {
    return runningProgram(this.#context.output, (progress) => this.#runProgram(options, progress));
  }

  /**
   * Compiles a program and all that it can reach, to be run on many inputs, each in a runner of its own. What is added or redefined
   * later is in the runs that begin after that.
   * @throws {SymbolsNotFoundError | ArgumentError} as `runProgram`.
   * @throws {MaterializationError} for a function that cannot be compiled or linked.
   */
  async program(options: ProgramSelection = {}): Promise<Program> {
    checkProgramSelection(options);
    const { entry = 'main' } = options;
    const { platform, output } = this.#context;
    await platform.prepareProgram(await this.#entry(entry));
    return new Program(entry, (given) =>
      runningProgram(output, (progress) =>
        this.#runProgram({ ...given, entry, eager: true }, progress, true),
      ),
    );
  }

  async #runProgram(
    entryOptions: EntryOptions,
    progress: RunProgress,
    isFresh = false,
  ): Promise<ProgramResult> {
    checkEntryOptions(entryOptions);
    const { entry = 'main', argv, env, ...rest } = entryOptions;
    // As they are now.
    const own = (argument: string | Uint8Array) =>
      typeof argument === 'string' ? argument : copyOf(argument);
    const options = { ...rest, argv: argv?.map(own), env: env && { ...env } };
    const { platform } = this.#context;
    return platform.runProgram(await this.#entry(entry), options, progress, isFresh);
  }

  /** What a program begins with, with all members of archives that it needs. */
  async #entry(name: string): Promise<SymbolRef> {
    const ref = this.#dylib.ref(name);
    this.#members.need(name);
    await this.#members.add();
    checkMain(name, this.#context.signatureOf(ref));
    return ref;
  }

  async #addIR(ir: ModuleIR, name: string, signal?: AbortSignal): Promise<ResourceTracker> {
    const { codegen, layers } = this.#context;
    const inPieces = mayHavePieces(ir.bytes, layers.extraction);
    const read = () => codegen.readModule(name, ir, layers.pipeline.target, { inPieces });
    return this.defineModule({ name, ...(await untilAborted(signal, notCompiled(name), read)) });
  }

  /**
   * Defines functions in JavaScript, which code calls by their names as it calls functions of C. They take and give scalars.
   * @throws {ArgumentError} for what is none, and for a signature with something else in it.
   * @throws {SignatureError} when the words are none; it says where.
   * @throws {LinkError} `duplicate-definition` when a name is defined already; then none is added.
   * @throws {FeatureError} when the executor is of a release that calls none.
   */
  define<const Signatures extends Readonly<Record<string, CallSignature | string>>>(
    functions: HostFunctions<Signatures>,
  ): ResourceTracker;
  /** For front ends: defines what a unit describes. */
  define(unit: MaterializationUnit): ResourceTracker;
  define(
    given: MaterializationUnit | HostFunctions<Readonly<Record<string, CallSignature | string>>>,
  ): ResourceTracker {
    if (given instanceof MaterializationUnit) return this.#define(given);
    checkHostFunctions(given);
    const { session, hostFunctions } = this.#context;
    const { executor, hostCalls } = session;
    const units = Object.entries(given).map(([name, definition]) => {
      refuseHostFunction(name, executor);
      const signature = hostSignature(name, signatureFrom(definition.signature));
      // As it is now, with its object.
      const implementation = definition.call.bind(definition) as AnyHostFunction;
      return hostFunctions.unit(name, hostCalls.nextNumber(), signature, implementation);
    });
    return trackerOfAll(units.map((unit) => () => this.#define(unit)));
  }

  #define(unit: MaterializationUnit): ResourceTracker {
    const { session, onRemoved, onChanged } = this.#context;
    session.define(unit, this.#dylib);
    this.#members.noteChanged();
    const names = [...unit.symbols.keys()];
    onChanged(names);
    return resourceTracker({
      names: () => names,
      checkRemovable: () => session.checkRemovable(unit),
      remove: () => {
        session.checkRemovable(unit);
        for (const name of this.#dylib.currentNames(unit)) onRemoved(this.#dylib.ref(name));
        session.remove(unit);
        this.#members.noteChanged();
        onChanged(names);
      },
    });
  }
}
