import type { FileRoot } from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import { FeatureError, RemoteError } from '@farjit/protocol/errors';
import { throwIfAborted, untilAborted } from '../core/aborting.js';
import { DeadlineExceededError, FilesError } from '../core/errors.js';
import { type LeftFile, MAX_COLLECTED_BYTES } from '../executor-client/collect-files.js';
import type { ExecutorProcessControl } from '../executor-client/executor-process-control.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { RunnerSupervisor } from '../runner/runner-supervisor.js';
import { pathPattern } from './path-pattern.js';
import { type ProgramFiles, readProgramFiles } from './program-files.js';
import { saveFiles, type Unsaved, type WritableFolder } from './save-files.js';
import { type CallOptions, notCalled, type SessionCalls } from './session-calls.js';

type LeftFiles = Awaited<ReturnType<ExecutorProcessControl['leftFiles']>>;

const TOO_LARGE = `with it there would be more than ${MAX_COLLECTED_BYTES / 1024 ** 2} MiB`;

/** With which an executor refuses files; what else it says is no fault of theirs. */
const REFUSALS = ['INVALID_PARAMS', 'LIMIT_EXCEEDED', 'QUOTA_EXCEEDED'];

/** What giving files needs of a session. */
export interface FilesContext {
  readonly calls: SessionCalls;
  readonly runners: RunnerSupervisor;
  executor(): ExecutorProcessControl;
}

/** What a program is given, and what is wanted of what it leaves. */
export interface FilesWanted {
  readonly files: ProgramFiles;
  readonly workingDirectory: string | undefined;
  readonly collect: readonly string[] | undefined;
}

/** What a program has left. */
export interface CollectedFiles {
  /** What it has left at the paths that were to be collected. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
  /** What else is at such paths, and is not in `files`, with why. */
  readonly uncollected?: readonly { readonly path: string; readonly reason: string }[];
  /** What is not written back into folders that are to be saved, with why; empty when all is. */
  readonly unsaved?: readonly { readonly path: string; readonly reason: string }[];
}

/** The files of one program: on their way to it, in its runner, and back. */
export class FilesOfProgram {
  readonly #name: string;
  readonly #context: FilesContext;
  readonly #wanted: FilesWanted;
  #root: FileRoot | undefined;
  #folders: readonly WritableFolder[] = [];
  #deadlineMs = Number.POSITIVE_INFINITY;
  #startMs = 0;
  /** Whether the executor may hold anything of them. */
  #isGiven = false;

  constructor(name: string, context: FilesContext, wanted: FilesWanted) {
    this.#name = name;
    this.#context = context;
    this.#wanted = wanted;
  }

  /**
   * Reads them, and sends those that the executor has not.
   * @returns what is left of the deadline for the program.
   * @throws {FilesError | FeatureError | DeadlineExceededError | AbortError} and then nothing has run.
   */
  async give({ deadlineMs = Number.POSITIVE_INFINITY, signal }: CallOptions): Promise<number> {
    const executor = this.#context.executor();
    if (!executor.has('files'))
      throw new FeatureError(
        `${this.#name} is not run: the executor (${executor.server}) is of a release without files`,
      );
    this.#checkAlone();
    const { files, workingDirectory = '/' } = this.#wanted;
    this.#startMs = monotonicMs();
    this.#deadlineMs = deadlineMs;
    throwIfAborted(signal, notCalled(this.#name));
    await this.#inTime(signal, 'its files were not sent by then', async (ends) => {
      // A disk of another machine may answer nothing, too.
      const { root, folders, contents } = await untilAborted(ends, notCalled(this.#name), () =>
        readProgramFiles(files, workingDirectory, ends),
      );
      this.#isGiven = true;
      await untilAborted(ends, notCalled(this.#name), () => executor.giveFiles(contents, ends));
      this.#root = root;
      this.#folders = folders;
    });
    return Math.max(this.#leftMs, 1);
  }

  /** A fresh runner with them. @throws {FilesError} when the executor refuses them. */
  async runner(): Promise<RunnerContext> {
    // It is one of them itself.
    this.#checkAlone(1);
    if (!this.#root) throw new Error('the files were not given');
    try {
      return await this.#context.runners.withFiles(this.#context.executor(), this.#root);
    } catch (error) {
      throw refusal(this.#name, error);
    }
  }

  /**
   * What the program has left of what is wanted; nothing where nothing is.
   * @param isSaved whether folders that are to be saved are.
   * @throws {AbortError | DeadlineExceededError}
   */
  async collected(signal: AbortSignal | undefined, isSaved: boolean): Promise<CollectedFiles> {
    const { collect } = this.#wanted;
    const saves = isSaved && this.#folders.some(({ savedTo }) => savedTo !== undefined);
    if (!collect && !saves) return {};
    const work = async (ends: AbortSignal): Promise<CollectedFiles> => {
      const left = await this.#context.executor().leftFiles();
      const collected = collect && (await this.#collect(collect, left, ends));
      return { ...collected, ...(saves && { unsaved: await this.#save(left, ends) }) };
    };
    const notCollected = `what ${this.#name} has left is not collected`;
    return this.#inTime(
      signal,
      'what it has left was not collected by then',
      (ends) => untilAborted(ends, notCollected, () => work(ends)),
      notCollected,
    );
  }

  /** Of the deadline. */
  get #leftMs(): number {
    return this.#deadlineMs - (monotonicMs() - this.#startMs);
  }

  /** Does something until the signal is aborted, or the deadline has passed. */
  async #inTime<T>(
    signal: AbortSignal | undefined,
    why: string,
    work: (ends: AbortSignal) => Promise<T>,
    aborted = notCalled(this.#name),
  ): Promise<T> {
    const ending = new AbortController();
    const ends = ending.signal;
    const end = () => ending.abort();
    signal?.addEventListener('abort', end);
    const leftMs = this.#leftMs;
    const timer = Number.isFinite(leftMs) ? setTimeout(end, Math.max(leftMs, 0)) : undefined;
    try {
      throwIfAborted(signal, aborted);
      return await work(ends);
    } catch (error) {
      throwIfAborted(signal, aborted);
      if (ends.aborted) throw new DeadlineExceededError(this.#name, this.#deadlineMs, { cause: error, why });
      throw refusal(this.#name, error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    }
  }

  #save(left: LeftFiles, signal: AbortSignal): Promise<Unsaved[]> {
    const executor = this.#context.executor();
    if (!this.#root) throw new Error('the files were not given');
    const read = (file: LeftFile) => executor.readLeftFile(file);
    return saveFiles(this.#folders, this.#root, { ...left, read }, signal);
  }

  async #collect(collect: readonly string[], left: LeftFiles, signal: AbortSignal): Promise<CollectedFiles> {
    const executor = this.#context.executor();
    const patterns = collect.map(pathPattern);
    const found = new Map<string, Uint8Array>();
    const uncollected: { path: string; reason: string }[] = [];
    let collectedBytes = 0;
    for (const file of left.files) {
      const bytes = Buffer.from(file.path);
      const path = bytes.toString();
      if (!patterns.some((fits) => fits(path))) continue;
      if (!file.isFile) uncollected.push({ path, reason: 'it is a symbolic link, or cannot be read' });
      else if (!Buffer.from(path).equals(bytes)) uncollected.push({ path, reason: 'its name is not UTF-8' });
      // Holes and second names make more of little.
      else if (collectedBytes + file.sizeBytes > MAX_COLLECTED_BYTES)
        uncollected.push({ path, reason: TOO_LARGE });
      else {
        if (signal.aborted) break;
        collectedBytes += file.sizeBytes;
        found.set(path, await executor.readLeftFile(file));
      }
    }
    if (left.omitted > 0)
      uncollected.push({ path: '', reason: `${left.omitted} paths are too long, or there are too many` });
    return { files: found, uncollected };
  }

  /** Nothing of them is needed any more. */
  release(): void {
    if (this.#isGiven) this.#context.executor().releaseFiles();
  }

  /** A fresh runner ends the one before, and with it what runs there. */
  #checkAlone(own = 0): void {
    if (this.#context.calls.count > own)
      throw new FilesError(
        `${this.#name} is not run: a program with files has a runner of its own, and calls run in this session; wait for them`,
      );
  }
}

function refusal(name: string, error: unknown): unknown {
  if (!(error instanceof RemoteError) || !REFUSALS.includes(error.code)) return error;
  return new FilesError(`${name} is not run: ${error.message}`, { cause: error });
}
