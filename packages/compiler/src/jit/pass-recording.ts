import type { CodegenPool } from '../codegen/codegen-pool.js';
import type { ModulePiece } from '../codegen/compile-input.js';
import { type KnownCompilation, passesOf } from '../codegen/compiled-again.js';
import type { TargetDescription } from '../llvm/target.js';
import type { ExecutionSession } from '../session/execution-session.js';

/** Compilations that are remembered at most: each holds its module. */
const MAX_REMEMBERED = 4096;

/** Of functions by name: at the end of a session they are compiled once more, and what each pass has made of them is told. */
export class PassRecording {
  readonly #names: readonly string[];
  readonly #session: ExecutionSession;
  readonly #codegen: CodegenPool;
  readonly #target: TargetDescription;
  readonly #compilations: KnownCompilation[] = [];
  readonly #stop: () => void;

  constructor(
    names: readonly string[],
    session: ExecutionSession,
    codegen: CodegenPool,
    target: TargetDescription,
  ) {
    this.#names = names;
    this.#session = session;
    this.#codegen = codegen;
    this.#target = target;
    const { artefacts } = session.events;
    this.#stop = session.events.subscribe(
      (event) => {
        if (event.type !== 'module-compiled' || this.#compilations.length >= MAX_REMEMBERED) return;
        const input = event.input === undefined ? undefined : artefacts.get(event.input);
        const { programDefined = [] } = event;
        const piece = event.piece as ModulePiece | undefined;
        if (input) this.#compilations.push({ ...event, unit: event.module, input, programDefined, piece });
      },
      { types: ['module-compiled'] },
    );
  }

  /** Tells of each function. @param onError told of those of which nothing can be told. */
  async finish(onError: (error: Error) => void): Promise<void> {
    this.#stop();
    const { events } = this.#session;
    for (const name of this.#names)
      try {
        const found = await passesOf(name, this.#compilations, this.#target, this.#codegen);
        if (!found) throw new Error(`LLVM has not compiled ${name} in this run`);
        const { unit, llvmVersion, passes } = found;
        const digest = events.artefacts.keep(Buffer.from(JSON.stringify(passes)));
        events.tell('passes-recorded', () => ({ name, unit, llvmVersion, passes: digest ?? '' }));
      } catch (cause) {
        const words = cause instanceof Error ? cause.message : String(cause);
        onError(new Error(`the passes of ${name} are not recorded: ${words}`, { cause }));
      }
  }
}
