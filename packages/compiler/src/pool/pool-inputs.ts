import type { CodegenPool } from '../codegen/codegen-pool.js';
import { throwIfAborted } from '../core/aborting.js';
import { copyOf } from '../core/copy-of.js';
import { NO_SYMBOLS } from '../core/symbol-flags.js';
import type { ArchiveMembers } from '../frontends/llvm/archive-members.js';
import { addCompiled, notCompiled } from '../frontends/llvm/c-compiler.js';
import { inputKindOf } from '../frontends/llvm/input-kind.js';
import { irOf } from '../frontends/llvm/ir-input.js';
import { readObject } from '../frontends/llvm/object-unit.js';
import { openArchive } from '../frontends/llvm/open-archive.js';
import type { VerifiedModule } from '../frontends/llvm/verified-module.js';
import { archiveTracker } from '../jit/archive-tracker.js';
import type { AddCOptions, ArchiveOptions, ObjectOptions } from '../jit/dylib-types.js';
import type { JIT } from '../jit/jit.js';
import type { ResourceTracker } from '../jit/jit-types.js';
import type { ModuleIR } from '../llvm/module-ir.js';
import type { TargetDescription } from '../llvm/target.js';
import type { Definition, Definitions } from './definitions.js';

/** What a pool's inputs work with. */
export interface PoolInputsContext<Session extends JIT> {
  readonly definitions: Definitions<Session>;
  readonly codegen: CodegenPool;
  /** One of the executors': they differ in what their CPUs have, of which inputs say nothing. */
  target(): Promise<TargetDescription>;
  /** One with an executor that is connected. */
  someSession(signal: AbortSignal | undefined): Promise<Session>;
}

/** What others have made, read once, and added to all sessions of a pool, now and later: `JITPool` says what each does. */
export class PoolInputs<Session extends JIT> {
  readonly #context: PoolInputsContext<Session>;
  #archives: readonly ArchiveMembers[] = [];
  #isUsed = false;

  constructor(context: PoolInputsContext<Session>) {
    this.#context = context;
  }

  /** Whether anything was added: it may have initialisers, or need what has some. */
  get isUsed(): boolean {
    return this.#isUsed;
  }

  /** Whether more may be added when a name is asked for that nobody defines. */
  get hasArchives(): boolean {
    return this.#archives.length > 0;
  }

  async addIR(ir: ModuleIR, name: string): Promise<ResourceTracker> {
    const { codegen, target } = this.#context;
    return this.defineModule({ name, ...(await codegen.readModule(name, ir, await target())) });
  }

  defineModule(module: VerifiedModule): ResourceTracker {
    const { name, defines } = module;
    const add = (session: Session) => session.defineModule(module);
    return this.#add({ name, ...defines, add });
  }

  async addObject(
    content: Uint8Array,
    { name = 'object', signatures }: ObjectOptions,
  ): Promise<ResourceTracker> {
    if (inputKindOf(content) === 'bitcode') return this.addIR(irOf(content), name);
    const own = copyOf(content);
    const { triple } = await this.#context.target();
    const object = readObject(own, name, triple, signatures);
    const add = (session: Session) => session.mainDylib.defineObject(object);
    return this.#add({ ...object, add });
  }

  async addArchive(
    content: Uint8Array,
    { name = 'archive', directory }: ArchiveOptions,
  ): Promise<ResourceTracker> {
    const { definitions, codegen, target } = this.#context;
    const own = copyOf(content);
    const members = await openArchive(
      { content: own, name, directory },
      {
        codegen,
        target: await target(),
        isDefined: (symbol) => definitions.defines(symbol),
        add: (member, title) => this.addObject(member, { name: title }),
      },
    );
    this.#archives = [...this.#archives, members];
    const add = (session: Session) => session.mainDylib.addMembers(members);
    const onRemove = () => {
      this.#archives = this.#archives.filter((other) => other !== members);
    };
    return archiveTracker(members, this.#add({ name, symbols: NO_SYMBOLS, add, onRemove }));
  }

  async addC(source: string | Uint8Array, options: AddCOptions): Promise<ResourceTracker> {
    const { name = 'source', signal } = options;
    const own = typeof source === 'string' ? source : copyOf(source);
    const session = await this.#context.someSession(signal);
    return addCompiled(
      (product) => session.mainDylib.compileC(own, options, product),
      (content) => {
        throwIfAborted(signal, notCompiled(name));
        return this.addObject(content, { name });
      },
    );
  }

  /** Adds the member of an archive that defines a name, if nobody else does. */
  async supply(name: string): Promise<void> {
    for (const members of this.#archives) await members.supply([name]);
  }

  #add(definition: Definition<Session>): ResourceTracker {
    const tracker = this.#context.definitions.add(definition);
    this.#isUsed = true;
    return tracker;
  }
}
