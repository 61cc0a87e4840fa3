import { isAbsolute, join, normalize } from 'node:path';
import type { SymbolFlagsMap } from '../../core/symbol-flags.js';
import { readBoundedFile } from '../../files/bounded-file.js';
import {
  ElfObject,
  SHN_COMMON,
  SHN_UNDEF,
  STB_GLOBAL,
  STB_LOCAL,
  STT_OBJECT,
} from '../../jitlink/elf/object.js';
import { LinkError } from '../../jitlink/errors.js';
import type { Archive, ArchiveMember } from './archive.js';
import { inputKindOf } from './input-kind.js';

/** Largest member of a thin archive: what a code generator takes. */
const MAX_MEMBER_BYTES = 256 * 1024 * 1024;

/** A member that has been added. */
export interface AddedMember {
  /** That it defines. */
  readonly names: readonly string[];
  /** @throws when it cannot be removed now. */
  checkRemovable(): void;
  remove(): void;
}

/** What an archive's members are read with. */
export interface MemberContext {
  /** Where a thin archive's members are. */
  readonly directory: string | undefined;
  /** Whether somebody defines the name by now. */
  isDefined(name: string): boolean;
  /** What bitcode defines. */
  symbolsInBitcode(content: Uint8Array, name: string): Promise<SymbolFlagsMap>;
  /** Adds a member to what the archive supplies. */
  add(content: Uint8Array, name: string): Promise<AddedMember>;
}

/**
 * Supplies a dylib from an archive: a member is added as a whole when one of the names that it defines is asked for, as
 * linkers do. ORC's `StaticLibraryDefinitionGenerator`.
 */
export class ArchiveMembers {
  readonly #archive: Archive;
  readonly #context: MemberContext;
  readonly #memberOf: ReadonlyMap<string, ArchiveMember>;
  readonly #adding = new Map<ArchiveMember, Promise<void>>();
  #added: readonly AddedMember[] = [];
  #isRemoved = false;

  private constructor(
    archive: Archive,
    context: MemberContext,
    memberOf: ReadonlyMap<string, ArchiveMember>,
  ) {
    this.#archive = archive;
    this.#context = context;
    this.#memberOf = memberOf;
  }

  /**
   * Finds out which member defines what: the index says it, or the members themselves where it does not. GNU `ar` leaves out
   * those of bitcode.
   * @throws {LinkError} for a member that is missing or malformed; and what `symbolsInBitcode` throws.
   */
  static async open(archive: Archive, context: MemberContext): Promise<ArchiveMembers> {
    const memberOf = new Map(archive.index);
    const indexed = new Set(archive.index.values());
    for (const member of archive.members) {
      if (indexed.has(member)) continue;
      const name = nameOf(archive, member);
      const content = await contentOf(archive, member, context.directory);
      for (const symbol of await definedNames(content, name, context))
        if (!memberOf.has(symbol)) memberOf.set(symbol, member);
    }
    return new ArchiveMembers(archive, context, memberOf);
  }

  /**
   * Adds the members that define some of the names, each once. As linkers do, one after the other: what a member brings along
   * needs no other.
   */
  async supply(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const member = this.#memberOf.get(name);
      if (this.#isRemoved || !member || this.#context.isDefined(name)) continue;
      await this.#add(member);
    }
  }

  /**
   * Adds the members that define some of the names as data with a value of its own: it takes the place of a common variable,
   * which is defined already.
   * @param isCommon whether a name is one by now.
   */
  async supplyValues(names: readonly string[], isCommon: (name: string) => boolean): Promise<void> {
    for (const name of names) {
      const member = this.#memberOf.get(name);
      if (this.#isRemoved || !member || !isCommon(name) || this.#adding.has(member)) continue;
      const title = nameOf(this.#archive, member);
      const content = await contentOf(this.#archive, member, this.#context.directory);
      if (await definesValue(content, title, name, this.#context)) await this.#add(member);
    }
  }

  /** That the members define which have been added. */
  get names(): string[] {
    return this.#added.flatMap(({ names }) => names);
  }

  /** @throws when one of the members that have been added cannot be removed now. */
  checkRemovable(): void {
    for (const member of this.#added) member.checkRemovable();
  }

  /** Removes the members that have been added, last ones first, and those that are on their way when they come. */
  remove(): void {
    this.#isRemoved = true;
    const added = this.#added.toReversed();
    this.#added = [];
    for (const member of added) member.remove();
  }

  #add(member: ArchiveMember): Promise<void> {
    const before = this.#adding.get(member);
    if (before) return before;
    const adding = contentOf(this.#archive, member, this.#context.directory)
      .then((content) => this.#context.add(content, nameOf(this.#archive, member)))
      .then((added) => {
        if (this.#isRemoved) added.remove();
        else this.#added = [...this.#added, added];
      });
    this.#adding.set(member, adding);
    // What could not be added is tried again when it is asked for again.
    adding.catch(() => this.#adding.delete(member));
    return adding;
  }
}

/** As errors call a member: `libm.a(sin.o)`. */
function nameOf(archive: Archive, { name }: ArchiveMember): string {
  return `${archive.name}(${name})`;
}

async function contentOf(
  { name: graph }: Archive,
  { name, offset, content }: ArchiveMember,
  directory: string | undefined,
): Promise<Uint8Array> {
  if (content) return content;
  const refuse = (problem: string, cause?: unknown) =>
    new LinkError('malformed-object', { graph, offset }, `its member ${name} ${problem}`, { cause });
  if (directory === undefined)
    throw refuse('is a file elsewhere (the archive is thin): say in which directory');
  const path = normalize(name);
  // Whoever made the archive is not to choose what is read.
  if (isAbsolute(path) || path.split('/')[0] === '..')
    throw refuse(`is outside of ${directory}, and is not looked for there`);
  try {
    return await readBoundedFile(join(directory, path), MAX_MEMBER_BYTES);
  } catch (cause) {
    throw refuse(`cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

async function definedNames(
  content: Uint8Array,
  name: string,
  context: MemberContext,
): Promise<Iterable<string>> {
  const kind = inputKindOf(content);
  if (kind === 'bitcode') return (await context.symbolsInBitcode(content, name)).keys();
  // `ar` takes any file.
  return kind === 'object' ? namesInObject(new ElfObject(name, content)) : [];
}

/** Whether a member defines the symbol strongly, as data. */
async function definesValue(
  content: Uint8Array,
  name: string,
  symbol: string,
  context: MemberContext,
): Promise<boolean> {
  if (inputKindOf(content) === 'bitcode') {
    const flags = (await context.symbolsInBitcode(content, name)).get(symbol);
    return flags?.linkage === 'strong' && !flags.callable;
  }
  const table = new ElfObject(name, content).symbolTable();
  for (let index = 1; table && index < table.count; index++)
    if (
      table.binding(index) === STB_GLOBAL &&
      table.type(index) === STT_OBJECT &&
      table.rawSection(index) !== SHN_UNDEF &&
      table.rawSection(index) !== SHN_COMMON &&
      table.name(index) === symbol
    )
      return true;
  return false;
}

function namesInObject(object: ElfObject): string[] {
  const table = object.symbolTable();
  const names: string[] = [];
  for (let index = 1; table && index < table.count; index++)
    if (table.binding(index) !== STB_LOCAL && table.rawSection(index) !== SHN_UNDEF)
      names.push(table.name(index));
  return names;
}
