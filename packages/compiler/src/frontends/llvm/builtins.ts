import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NO_SYMBOLS } from '../../core/symbol-flags.js';
import { readArchive } from './archive.js';
import { ArchiveMembers, type MemberContext } from './archive-members.js';

/** Where GCC's archives are: a directory for each target and version. */
const GCC_DIRECTORIES = ['/usr/lib/gcc', '/usr/local/lib/gcc'];
const GCC_ARCHIVES = ['libgcc.a', 'libatomic.a'];

/** Names of what compilers call, and of what that calls: nobody else's begin so. Stacks in pieces (`-fsplit-stack`) are not had. */
const NAME = /^(__(?!(more|split)stack)|libat_)/;
/** Of what has initialisers, which have to be known before a program begins: `__builtin_cpu_supports` asks it. */
const INITIALIZED = ['__cpu_indicator_init', '__cpu_model', '__cpu_features2'];

/**
 * Functions that compilers call for what a machine has no instruction for: of GCC's `libgcc.a` and `libatomic.a`, and
 * LLVM's compiler-rt, where one of them is installed. What of them is in the process has been found there before.
 */
export class Builtins {
  readonly #architecture: string;
  readonly #context: Pick<MemberContext, 'isDefined' | 'add'>;
  #archives: Promise<readonly ArchiveMembers[]> | undefined;

  constructor(architecture: string, context: Pick<MemberContext, 'isDefined' | 'add'>) {
    this.#architecture = architecture;
    this.#context = context;
  }

  /** Adds the members that define some of the names. */
  async supply(names: readonly string[]): Promise<void> {
    const asked = names.filter((name) => NAME.test(name));
    if (asked.length === 0) return;
    this.#archives ??= this.#open();
    for (const archive of await this.#archives) await archive.supply(asked);
  }

  /** Adds what has initialisers. */
  supplyInitialized(names: readonly string[]): Promise<void> {
    return this.supply(names.filter((name) => INITIALIZED.includes(name)));
  }

  async #open(): Promise<ArchiveMembers[]> {
    return Promise.all(
      findBuiltins(this.#architecture).map(async (path) =>
        ArchiveMembers.open(readArchive(await readFile(path), path), {
          ...this.#context,
          directory: undefined,
          symbolsInBitcode: async () => NO_SYMBOLS,
        }),
      ),
    );
  }
}

/** Paths of the newest of each archive that is installed. */
function findBuiltins(architecture: string): string[] {
  const isTarget = (name: string) => name.startsWith(`${architecture}-`);
  const ofGCC = GCC_DIRECTORIES.flatMap((directory) =>
    foldersIn(directory)
      .filter(isTarget)
      .map((target) => join(directory, target)),
  ).flatMap(versionsIn);
  const ofClang = ['/usr/lib/clang', ...foldersIn('/usr/lib').filter(isLLVM).map(clangIn)].flatMap(
    versionsIn,
  );
  const ofCompilerRT = ofClang.flatMap((version) => [
    join(version, 'lib/linux', `libclang_rt.builtins-${architecture}.a`),
    ...foldersIn(join(version, 'lib'))
      .filter(isTarget)
      .map((target) => join(version, 'lib', target, 'libclang_rt.builtins.a')),
  ]);
  const candidates = [
    ...GCC_ARCHIVES.map((name) => ofGCC.map((version) => join(version, name))),
    ofCompilerRT,
  ];
  return candidates.flatMap((paths) => paths.find(existsSync) ?? []);
}

function isLLVM(name: string): boolean {
  return /^llvm-\d+$/.test(name);
}

function clangIn(name: string): string {
  return join('/usr/lib', name, 'lib/clang');
}

/** The newest first. */
function versionsIn(directory: string): string[] {
  const numberOf = (name: string) => Number.parseInt(name, 10) || 0;
  return foldersIn(directory)
    .sort((a, b) => numberOf(b) - numberOf(a))
    .map((version) => join(directory, version));
}

function foldersIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // One that other distributions have.
    return [];
  }
}
