import {
  CodegenPool,
  type EntryOptions,
  type ExtractionMode,
  JIT,
  type ProgramFile,
  type StatisticsSnapshot,
} from '@farjit/compiler';
import { addCompiled } from '#compiler/src/frontends/llvm/c-compiler.js';
import { findLibLLVM } from '#compiler/src/llvm/find-libllvm.js';
import { startExecutor } from '../executor-process.js';
import type { BuiltProgram } from './build.js';
import { digestsOf, programName } from './native.js';
import type { Mode, Outcome } from './program.js';

/** Longer than any program here takes on a busy machine. */
const DEADLINE_MS = 120_000;

/** What FarJIT has made of a program. */
export interface FarJITRun {
  /** Undefined when it was not run, or not to its end. */
  readonly outcome?: Outcome;
  /** Why. */
  readonly error?: Error & { readonly code?: string };
  readonly statistics: StatisticsSnapshot;
  /** How many functions were linked. */
  readonly functionsLinked: number;
}

/** Where programs with files begin. */
const FOLDER = '/work';

function inFolder(files: Readonly<Record<string, Uint8Array>>): EntryOptions {
  const given = Object.entries(files).map(([name, content]) => [`${FOLDER}/${name}`, content] as const);
  return {
    files: new Map<string, ProgramFile>([[FOLDER, { writable: true }], ...given]),
    workingDirectory: FOLDER,
    collect: [`${FOLDER}/**`],
  };
}

/** One executor and the code generators of one process, for any number of programs. */
export class FarJIT {
  readonly #url: string;
  readonly #codegen: CodegenPool;
  readonly #endings: (() => unknown)[];
  readonly #deadlineMs: number;
  readonly #extraction: ExtractionMode;

  private constructor(
    url: string,
    codegen: CodegenPool,
    endings: (() => unknown)[],
    { deadlineMs, extraction }: { readonly deadlineMs: number; readonly extraction: ExtractionMode },
  ) {
    this.#url = url;
    this.#codegen = codegen;
    this.#endings = endings;
    this.#deadlineMs = deadlineMs;
    this.#extraction = extraction;
  }

  /** Starts them; the executor ends with this process at the latest. */
  static async start(
    jobs: number,
    {
      deadlineMs = DEADLINE_MS,
      extraction = 'off',
    }: { readonly deadlineMs?: number; readonly extraction?: ExtractionMode } = {},
  ): Promise<FarJIT> {
    const endings: (() => unknown)[] = [];
    const teardown = (ending: () => unknown) => void endings.unshift(ending);
    const { url } = await startExecutor({ teardown }, undefined, [
      '--preload=libstdc++.so.6',
      '--preload=libatomic.so.1',
    ]);
    const codegen = new CodegenPool({ libLLVM: () => findLibLLVM().path, size: jobs });
    endings.unshift(() => codegen.stop());
    return new FarJIT(url, codegen, endings, { deadlineMs, extraction });
  }

  async run({ program, inputs }: BuiltProgram, { eager, optLevel }: Mode): Promise<FarJITRun> {
    const output = { stdout: '', stderr: '' };
    let functionsLinked = 0;
    const jit = await JIT.create({
      executor: { url: this.#url },
      codegen: this.#codegen,
      extraction: this.#extraction,
      ...(optLevel === undefined ? {} : { optLevel }),
      onOutput: (stream, content) => {
        output[stream] += Buffer.from(content).toString('latin1');
      },
      plugins: [
        {
          emitted: (_, { functions }) => {
            functionsLinked += functions.length;
          },
        },
      ],
    });
    try {
      for (const { kind, name, content, compileObject } of inputs)
        if (kind === 'ir' && compileObject)
          await addCompiled(
            async (product) => (product === 'object' ? compileObject() : content),
            (compiled) => jit.addObject(compiled, { name }),
          );
        else if (kind === 'ir') await jit.addIR(content, { name });
        else if (kind === 'object') await jit.addObject(content, { name });
        else await jit.addArchive(content, { name });
      const { exitCode, files } = await jit.runProgram({
        argv: [programName(program), ...program.args],
        env: program.env,
        stdin: program.stdin,
        eager,
        deadlineMs: this.#deadlineMs,
        ...(program.files && inFolder(program.files)),
      });
      const left = [...(files ?? [])].map(
        ([path, content]) => [path.slice(FOLDER.length + 1), content] as const,
      );
      const outcome = { exitCode, ...output, ...(files && { files: digestsOf(left) }) };
      return { outcome, statistics: jit.statistics(), functionsLinked };
    } catch (error) {
      return { error: error as Error, statistics: jit.statistics(), functionsLinked };
    } finally {
      await jit.close();
    }
  }

  async stop(): Promise<void> {
    for (const end of this.#endings) await end();
  }
}
