import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { howToGetPrograms, nativeProgram } from '@farjit/protocol/native-program';
import { spawnChild } from '@farjit/protocol/spawn-child';
import { CCompilerError } from './c-errors.js';

const CONFINE_PROGRAM = nativeProgram(new URL('../../../confine/farjit-confine', import.meta.url));
/** Its exit code when it has not started the program: `EXIT_NOT_CONFINED` of `confine/main.c`. */
const NOT_CONFINED = 125;
/** What of the program's words is kept: the first of them say what is wrong. */
const KEPT_WORDS_BYTES = 64 * 1024;

/** What a program gets, and what it may do. */
interface ToolOptions {
  /** Its standard input. */
  readonly input: string | Uint8Array;
  readonly cwd: string;
  /** Files and directories with all below: nothing else can be opened. All of them exist. */
  readonly readable: readonly string[];
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
  readonly limits: { readonly wallMs: number; readonly cpuSeconds: number; readonly outputBytes: number };
}

/** What has come of it. */
interface ToolResult {
  /** What it wrote to standard output. */
  readonly output: Buffer;
  /** And to standard error. */
  readonly words: string;
  /** `done`, or how it ended otherwise: an exit code, a signal, a limit. */
  readonly end: string;
}

/**
 * Runs a program on text that nobody vouches for: it may read what is said, start nothing, write nothing but its output, and
 * reach no network.
 * @throws {CCompilerError} when it cannot be confined or started.
 */
export async function runConfined(
  program: string,
  args: readonly string[],
  { input, cwd, readable, limits, signal: cancel }: ToolOptions,
): Promise<ToolResult> {
  if (!existsSync(CONFINE_PROGRAM))
    throw new CCompilerError(`there is no ${CONFINE_PROGRAM} to confine it with: ${howToGetPrograms()}`);
  const confinement = readable.flatMap((path) => ['--ro', path]);
  const { child, pipe } = spawnChild(
    CONFINE_PROGRAM,
    [...confinement, '--limit', `cpu=${limits.cpuSeconds}`, '--', program, ...args],
    // Nothing in the environment is for it, and Ctrl-C is for us to handle.
    { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env: { LC_ALL: 'C' }, cwd },
  );
  let limit: string | undefined;
  const endOver = (reached: string) => {
    limit ??= reached;
    child.kill('SIGKILL');
  };
  const onCancel = () => endOver('cancelled');
  cancel?.addEventListener('abort', onCancel);
  if (cancel?.aborted) onCancel();
  const timer = setTimeout(() => endOver(`not done after ${limits.wallMs} ms`), limits.wallMs);
  const output: Buffer[] = [];
  let outputBytes = 0;
  pipe(1).on('data', (piece: Buffer) => {
    outputBytes += piece.byteLength;
    if (outputBytes > limits.outputBytes) endOver(`its output has more than ${limits.outputBytes} bytes`);
    else output.push(piece);
  });
  let words = '';
  pipe(2)
    .setEncoding('utf8')
    .on('data', (piece: string) => {
      words = (words + piece).slice(0, KEPT_WORDS_BYTES);
    });
  // It may be gone before it has read all; its end says more.
  const stdin = pipe(0).on('error', () => {});
  stdin.end(input);
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    if (code === NOT_CONFINED && words.startsWith('farjit-confine: '))
      throw new CCompilerError(
        `${program} cannot be confined here, and is not run otherwise (${words.slice('farjit-confine: '.length).trim()}): ` +
          'compile it yourself, with -c -emit-llvm -fPIC, and give the bitcode',
      );
    const end = limit ?? signal ?? (code === 0 ? 'done' : `exit code ${code}`);
    return { output: Buffer.concat(output), words, end };
  } catch (cause) {
    if (cause instanceof CCompilerError) throw cause;
    throw new CCompilerError(`${program} cannot be started: ${(cause as Error).message}`, { cause });
  } finally {
    clearTimeout(timer);
    cancel?.removeEventListener('abort', onCancel);
  }
}
