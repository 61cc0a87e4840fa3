import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { howToGetPrograms } from '@farjit/protocol/native-program';
import { spawnChild } from '@farjit/protocol/spawn-child';
import { SessionClosedError } from '../core/errors.js';
import { LibLLVMError } from '../llvm/errors.js';
import { CodegenLostError } from './codegen-lost-error.js';
import {
  AnswerReader,
  type CodegenAnswer,
  type CodegenRequest,
  encodeRequest,
  type KeptModule,
  Status,
} from './codegen-wire.js';

/** What of a process's standard error is kept, to say why it ended: LLVM's last words, not a backtrace's first. */
const KEPT_WORDS_BYTES = 4096;

interface Pending {
  readonly id: number;
  readonly moduleName: string;
  /** The request with its module, which it was sent before and may not keep any more; undefined once it has been sent. */
  sendWhole: (() => Buffer) | undefined;
  resolve(answer: CodegenAnswer): void;
  reject(error: Error): void;
}

/** Of what the IR is printed after each pass. */
export interface PassPrinting {
  readonly functions: readonly string[];
  onPrinted(text: string): void;
}

/** One `farjit-codegen`: a child process that compiles one module at a time on a libLLVM of its own. */
export class CodegenProcess {
  /** Resolves once it can compile. */
  readonly ready: Promise<void>;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #requests: Socket;
  readonly #answers: Socket;
  readonly #wordsPipe: Socket;
  readonly #reader = new AnswerReader();
  /** Modules of pieces that it has been sent. It keeps the last ones. */
  readonly #keptModules = new WeakMap<Uint8Array, KeptModule>();
  #keyCount = 0;
  #pending: Pending | undefined;
  #nextId = 1;
  #words = '';
  #state: 'starting' | 'ready' | 'lost' = 'starting';
  #lost: Error | undefined;
  #llvmVersion = '';
  #settleReady!: { resolve: () => void; reject: (error: Error) => void };

  /**
   * Starts the program; `ready` says when it can be used, and rejects with `LibLLVMError` when it cannot.
   * @param printing functions whose IR is printed after each pass, and who is given what is printed.
   */
  constructor(program: string, libLLVMPath: string, printing?: PassPrinting) {
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    this.ready.catch(() => {});
    if (!existsSync(program))
      throw new LibLLVMError(`There is no code generator at ${program}: ${howToGetPrograms()}.`);
    // Detached: Ctrl-C in a terminal is for the compiler to handle. No environment: nothing in it is for LLVM.
    const { child, pipe } = spawnChild(
      program,
      [libLLVMPath, ...(printing ? [printing.functions.join(',')] : [])],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
        env: {},
        cwd: '/',
      },
    );
    this.#child = child;
    this.#requests = pipe(0);
    this.#answers = pipe(1);
    this.#wordsPipe = pipe(2);
    this.#wordsPipe.setEncoding('utf8').on('data', (text: string) => {
      this.#words = (this.#words + text).slice(-KEPT_WORDS_BYTES);
      printing?.onPrinted(text);
    });
    this.#answers.on('data', (piece: Buffer) => this.#read(piece));
    // A write to a process that is gone; its end says more.
    this.#requests.on('error', () => {});
    this.ended = once(child, 'close').then(
      ([code, signal]: unknown[]) => this.#end(code as number | null, signal as NodeJS.Signals | null),
      (cause: Error) =>
        this.#lose(
          new LibLLVMError(`Cannot start the code generator ${program}: ${cause.message}`, { cause }),
        ),
    );
  }

  get processId(): number {
    return this.#child.pid ?? 0;
  }

  /** Of its libLLVM, as `LibLLVM.version`; empty before it is ready. */
  get llvmVersion(): string {
    return this.#llvmVersion;
  }

  /** It has not said yet that it can compile. */
  get isStarting(): boolean {
    return this.#state === 'starting';
  }

  /** Ready for a request. */
  get isIdle(): boolean {
    return this.#state === 'ready' && this.#pending === undefined;
  }

  /**
   * Compiles; one request at a time.
   * @param limitMs how long it may take.
   * @throws {CodegenLostError} when LLVM ends the process over it, or it takes longer than that.
   * @throws {RangeError} when it is more than a request can say; the process is as idle as before.
   */
  async request(request: CodegenRequest, limitMs: number): Promise<CodegenAnswer> {
    if (this.#lost) throw this.#lost;
    const id = this.#nextId;
    const kept = request.input.piece && this.#keptModule(request.input.ir.bytes);
    const bytes = encodeRequest(id, request, kept);
    const sendWhole = kept?.isThere
      ? () => encodeRequest(id, request, { ...kept, isThere: false })
      : undefined;
    this.#nextId = (this.#nextId % 0x7fff_ffff) + 1;
    const { name } = request.input;
    const timer = setTimeout(() => this.#endOver(`it was not done after ${limitMs} ms`), limitMs);
    try {
      return await new Promise<CodegenAnswer>((resolve, reject) => {
        this.#pending = { id, moduleName: name, sendWhole, resolve, reject };
        this.#keepProgramRunning(true);
        this.#requests.write(bytes);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the process, whatever it is doing: that rejects with a `SessionClosedError`. */
  async stop(): Promise<void> {
    this.#lose(new SessionClosedError('the code generators have been stopped'));
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  #read(piece: Buffer): void {
    if (this.#lost) return;
    try {
      for (const answer of this.#reader.push(piece)) this.#receive(answer);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#endOver(error.message);
    }
  }

  /** Ends the process over what it does, or does not, with the module that it has. */
  #endOver(words: string): void {
    const name = this.#pending?.moduleName ?? '';
    this.#lose(new CodegenLostError(name, `${words}, and its process was ended`));
    this.#child.kill('SIGKILL');
  }

  #receive(answer: CodegenAnswer): void {
    const pending = this.#pending;
    if (answer.id === 0 && answer.status === Status.Done) {
      this.#llvmVersion = answer.content.toString();
      if (this.#state === 'starting') this.#state = 'ready';
      // It may be being stopped already, and somebody wait for its end.
      this.#keepProgramRunning(this.#state === 'lost');
      return this.#settleReady.resolve();
    }
    if (answer.id === 0) return this.#lose(new LibLLVMError(whyNotReady(answer)));
    if (answer.id !== pending?.id) return;
    // Its last answer: the process ends over it, and what it says here is better than its exit code.
    if (answer.status === Status.Fatal)
      return this.#lose(new CodegenLostError(pending.moduleName, answer.content.toString()));
    if (answer.status === Status.Unknown) return this.#sendWhole(pending);
    this.#settle(() => pending.resolve(answer));
  }

  #sendWhole(pending: Pending): void {
    const { sendWhole } = pending;
    if (!sendWhole) return this.#endOver('it has not kept what it was sent');
    pending.sendWhole = undefined;
    this.#requests.write(sendWhole());
  }

  /** What it keeps a module of pieces as; from now on it is there. */
  #keptModule(module: Uint8Array): KeptModule {
    const known = this.#keptModules.get(module);
    if (known) return known;
    const key = ++this.#keyCount;
    this.#keptModules.set(module, { key, isThere: true });
    return { key, isThere: false };
  }

  #end(code: number | null, signal: NodeJS.Signals | null): void {
    const how = signal === null ? `exit code ${code}` : signal;
    const words = this.#words.trim();
    const name = this.#pending?.moduleName ?? '';
    this.#lose(new CodegenLostError(name, words === '' ? how : `${how}; ${words}`));
  }

  #lose(error: Error): void {
    this.#lost ??= error;
    this.#state = 'lost';
    // Somebody may be waiting for it to make room.
    this.#keepProgramRunning(true);
    this.#settleReady.reject(this.#lost);
    const pending = this.#pending;
    if (pending) this.#settle(() => pending.reject(error));
  }

  #settle(settle: () => void): void {
    this.#pending = undefined;
    this.#keepProgramRunning(this.#state === 'lost');
    settle();
  }

  /**
   * An idle code generator does not keep a program that is done from ending; one that starts, works or ends does. The end
   * is noticed when its streams have closed too: with the child alone, nothing may be left to wait for before.
   */
  #keepProgramRunning(isNeeded: boolean): void {
    for (const handle of [this.#child, this.#requests, this.#answers, this.#wordsPipe])
      if (isNeeded) handle.ref();
      else handle.unref();
  }
}

function whyNotReady({ status, content }: CodegenAnswer): string {
  if (status !== Status.Unconfined) return `${content}. FARJIT_LIBLLVM names another.`;
  return `The code generator cannot be confined here: ${content}. farjit doctor says more.`;
}
