import type { CodegenPool } from '../../codegen/codegen-pool.js';
import type { TargetDescription } from '../../llvm/target.js';
import { readArchive } from './archive.js';
import { ArchiveMembers, type MemberContext } from './archive-members.js';
import { irOf } from './ir-input.js';

/** An archive, as its adder gives it. */
export interface ArchiveInput {
  /** Its own: members are read when they are needed. */
  readonly content: Uint8Array;
  /** As errors call it. */
  readonly name: string;
  /** Where the members of a thin archive are. */
  readonly directory: string | undefined;
}

/** What an archive is opened with. */
export interface ArchiveContext extends Pick<MemberContext, 'isDefined' | 'add'> {
  readonly codegen: CodegenPool;
  readonly target: TargetDescription;
}

/**
 * Finds out what an archive's members define.
 * @throws {LinkError} `malformed-object`, for the archive, or a member that its index does not mention.
 */
export function openArchive(
  { content, name, directory }: ArchiveInput,
  { codegen, target, ...context }: ArchiveContext,
): Promise<ArchiveMembers> {
  return ArchiveMembers.open(readArchive(content, name), {
    ...context,
    directory,
    symbolsInBitcode: async (bitcode, member) =>
      (await codegen.readModule(member, irOf(bitcode), target)).defines.symbols,
  });
}
