import { createHash } from 'node:crypto';
import {
  Connection,
  createMemoryTransportPair,
  type FileRoot,
  files,
  type GivenFile,
  type RequestType,
  type ResultOf,
  session,
} from '@farjit/protocol';
import { RemoteError } from '@farjit/protocol/errors';
import * as v from 'valibot';
import { createHostResources, Session } from '#executor/src/index.js';
import { openOn, WANTED } from '#executor/test/open-on.js';
import type { Random } from '../random.js';
import { type FuzzTarget, must, type TargetFactory, Violation } from '../target.js';

/** With which files may be refused. */
const CODES = new Set(['INVALID_PARAMS', 'LIMIT_EXCEEDED']);
const KINDS = ['file', 'directory', 'writable', 'link'] as const;
/** Beside those that are made of them. */
const NAMES = ['a', 'b', 'c', 'tmp', 'dev', 'null', '\xff\xfe', 'long'.repeat(63)];
const ODD_NAMES = ['', '.', '..', '.farjit', 'a\0b', 'l'.repeat(256), 'proc'];
const TARGETS = ['a', '/', '..', '../../../../etc', '/proc/self/root', '/tmp', '\xff'];

/**
 * The root that an executor makes of a compiler's files, in a real runner. What is refused is refused with a code that was foreseen,
 * and what is not makes a runner that starts; when that is gone, its writable folders hold what was given there, and nothing else.
 *
 * An input is where the program begins, then entries: a byte for the kind, a path, and a content or where a link leads, each text
 * behind a byte with its length.
 */
export const fileRoot: TargetFactory = {
  name: 'file-root',
  longInputs: 4000,
  shortInputs: 60,
  create: async ({ planted = false } = {}) => {
    const target = new FileRootTarget(planted);
    await target.open();
    return target;
  },
};

class FileRootTarget implements FuzzTarget {
  readonly name = 'file-root';
  readonly stages = ['refused by the schema', 'refused by the session', 'a runner has them'];
  /** Each costs two runners. */
  readonly minimizeRuns = 300;
  readonly #host = createHostResources();
  readonly #isPlanted: boolean;
  #hosted: Session | undefined;
  #connection: Connection | undefined;

  constructor(isPlanted: boolean) {
    this.#isPlanted = isPlanted;
  }

  async open(): Promise<void> {
    const [near, far] = createMemoryTransportPair();
    this.#hosted = new Session({ host: this.#host, transport: far });
    this.#connection = new Connection(near);
    this.#connection.start();
    await openOn(this.#connection);
  }

  async close(): Promise<void> {
    this.#connection?.close();
    await this.#hosted?.ended;
  }

  generate(random: Random): Uint8Array {
    const name = () => random.pick(random.oneIn(40) ? ODD_NAMES : NAMES);
    const paths = ['/'];
    const path = () => {
      // Mostly in folders that are there.
      const folder = random.pick(paths);
      const made = `${folder === '/' ? '' : folder}/${name()}`;
      return random.oneIn(60) ? made.slice(1) : made.slice(0, 255);
    };
    const pieces: Buffer[] = [];
    const text = (words: string) => {
      const bytes = Buffer.from(words, 'latin1').subarray(0, 255);
      pieces.push(Buffer.of(bytes.byteLength), bytes);
    };
    const entries = Array.from({ length: random.below(12) }, () => {
      const kind = random.below(KINDS.length);
      const made = path();
      if (KINDS[kind] === 'directory' || KINDS[kind] === 'writable' || random.oneIn(10)) paths.push(made);
      return { kind, path: made };
    });
    text(random.oneIn(20) ? path() : random.pick(['/', '/', ...entries.map((entry) => entry.path)]));
    for (const { kind, path: made } of entries) {
      pieces.push(Buffer.of(kind));
      text(made);
      text(KINDS[kind] === 'link' ? random.pick(TARGETS) : 'x'.repeat(random.below(200)));
    }
    const input = Buffer.concat(pieces);
    for (let count = random.oneIn(8) ? random.below(4) : 0; count > 0; count--)
      if (input.byteLength > 0) input[random.below(input.byteLength)] = random.bits();
    return input;
  }

  async run(input: Uint8Array): Promise<string> {
    const { root, contents } = rootOf(Buffer.from(input));
    const [refusedBySchema, refused, done] = this.stages as [string, string, string];
    if (!v.safeParse(files.fileRoot, root).success) return refusedBySchema;
    const outcome = await this.#start(root, contents);
    if (!outcome) return refused;
    // Ends the runner, whose files are looked at then.
    await this.#ask(session.startRunner, WANTED);
    await this.#checkLeft(root, contents);
    return done;
  }

  async #start(root: FileRoot, contents: ReadonlyMap<string, Buffer>): Promise<boolean> {
    try {
      const offered = [...contents].map(([digest, { byteLength }]) => ({
        digest: new Uint8Array(Buffer.from(digest, 'hex')),
        sizeBytes: byteLength,
      }));
      const { missing } = await this.#ask(files.offerFiles, { contents: offered });
      for (const index of missing) {
        const slice = new Uint8Array([...contents.values()][index] ?? []);
        await this.#ask(files.sendFile, { index, offset: 0, slice });
      }
      await this.#ask(session.startRunner, { ...WANTED, files: root });
      return true;
    } catch (error) {
      if (error instanceof RemoteError && CODES.has(error.code)) return false;
      throw new Violation(`files are refused: ${error}`, { cause: error });
    }
  }

  async #checkLeft({ entries }: FileRoot, contents: ReadonlyMap<string, Buffer>): Promise<void> {
    const { files: left, omitted } = await this.#ask(files.listFiles, { from: 0 });
    const folders = entries.filter(({ kind }) => kind === 'writable').map(({ path }) => `${keyOf(path)}/`);
    const isWritten = (entry: GivenFile) => folders.some((folder) => keyOf(entry.path).startsWith(folder));
    const expected = entries.filter(
      (entry) => (entry.kind === 'file' || entry.kind === 'link') && isWritten(entry),
    );
    const described = (all: readonly { readonly path: Uint8Array; readonly isFile: boolean }[]) =>
      JSON.stringify(all.map(({ path, isFile }) => [keyOf(path), isFile]).sort());
    const [there, given] = [
      described(left),
      described(expected.map(({ path, kind }) => ({ path, isFile: kind === 'file' }))),
    ];
    must(omitted === 0 && there === given, () => `left are ${there}, given were ${given}`);
    for (const [index, { path, isFile, sizeBytes }] of left.entries()) {
      if (!isFile) continue;
      const read = await this.#ask(files.readFile, { file: index, offset: 0, sizeBytes: sizeBytes + 1 });
      const content = this.#isPlanted && path.includes(0xff) ? read.content.subarray(1) : read.content;
      const entry = expected.find((one) => keyOf(one.path) === keyOf(path));
      const digest = entry?.kind === 'file' ? Buffer.from(entry.content.digest).toString('hex') : '';
      must(contents.get(digest)?.equals(content) === true, () => `${keyOf(path)} has another content`);
    }
  }

  #ask<M extends RequestType>(type: M, params: Parameters<Connection['request']>[1]): Promise<ResultOf<M>> {
    if (!this.#connection) throw new Error('it is not open');
    return this.#connection.request(type, params as never);
  }
}

/** What an input says. Its texts end where it does. */
function rootOf(input: Buffer): { readonly root: FileRoot; readonly contents: Map<string, Buffer> } {
  let at = 0;
  const text = () => {
    const sizeBytes = input[at] ?? 0;
    const bytes = input.subarray(at + 1, at + 1 + sizeBytes);
    at += 1 + sizeBytes;
    return new Uint8Array(bytes);
  };
  const contents = new Map<string, Buffer>();
  const workingDirectory = text();
  const entries: GivenFile[] = [];
  while (at < input.byteLength) {
    const kind = KINDS[(input[at++] ?? 0) % KINDS.length] ?? 'file';
    const path = text();
    const argument = text();
    if (kind === 'link') entries.push({ kind, path, target: argument });
    else if (kind === 'file') {
      const digest = createHash('sha256').update(argument).digest();
      contents.set(digest.toString('hex'), Buffer.from(argument));
      const content = { digest: new Uint8Array(digest), sizeBytes: argument.byteLength };
      entries.push({ kind, path, content, isExecutable: argument.byteLength % 2 === 1 });
    } else entries.push({ kind, path });
  }
  return { root: { entries, workingDirectory }, contents };
}

function keyOf(path: Uint8Array): string {
  return Buffer.from(path).toString('latin1');
}
