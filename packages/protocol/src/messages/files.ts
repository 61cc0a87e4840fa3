import * as v from 'valibot';
import { notification, request } from './declare.js';
import { byteCount, bytes, count } from './primitives.js';

/** Bytes of one message's piece of content. */
export const MAX_SLICE_BYTES = 1024 * 1024;
/** Entries that a runner is given. */
export const MAX_ENTRIES = 4096;
/** Of their paths and of where links lead, together: they fit into a frame. */
export const MAX_PATHS_BYTES = 1024 * 1024;
/** Content that a runner is given, and that an identity has on its way to runners at a time. */
export const MAX_GIVEN_BYTES = 256 * 1024 * 1024;
/** What Linux takes: a path with what ends it, and a name in a folder. */
export const MAX_PATH_BYTES = 4095;
export const MAX_NAME_BYTES = 255;
/** Entries of one answer to `listFiles`. */
export const MAX_LISTED = 1024;
/** SHA-256. */
export const DIGEST_BYTES = 32;

/** SHA-256 of a file's content. */
export const digest = v.pipe(bytes, v.minLength(DIGEST_BYTES), v.maxLength(DIGEST_BYTES));

const pathBytes = v.pipe(bytes, v.minLength(1), v.maxLength(MAX_PATH_BYTES));

/** Content, by what it is. */
export const fileContent = v.strictObject({
  digest,
  sizeBytes: v.pipe(byteCount, v.maxValue(MAX_GIVEN_BYTES)),
});
export type FileContent = v.InferOutput<typeof fileContent>;

/** What a runner finds at a path: absolute, in bytes, without `.`, `..` and slashes that say nothing. */
export const givenFile = v.variant('kind', [
  v.strictObject({
    kind: v.literal('file'),
    path: pathBytes,
    content: fileContent,
    /** Whether its rights say so; nothing can be executed. */
    isExecutable: v.boolean(),
  }),
  v.strictObject({ kind: v.literal('directory'), path: pathBytes }),
  /** A folder in which all can be written and made; what is given in it is a copy. */
  v.strictObject({ kind: v.literal('writable'), path: pathBytes }),
  /** A symbolic link, which leads where it leads in the runner's root. */
  v.strictObject({ kind: v.literal('link'), path: pathBytes, target: pathBytes }),
]);
export type GivenFile = v.InferOutput<typeof givenFile>;

/**
 * All that a runner sees of files. Folders that its paths go through are made where they are not given. Its contents have been
 * offered by `offerFiles`, and those that were missing sent.
 */
export const fileRoot = v.strictObject({
  entries: v.pipe(v.array(givenFile), v.maxLength(MAX_ENTRIES)),
  /** Where a program begins. */
  workingDirectory: pathBytes,
});
export type FileRoot = v.InferOutput<typeof fileRoot>;

/**
 * Says which contents the next runner is given, in place of those of the offer before. The answer says which of them the executor
 * has not got from this identity: what others have sent it does not count.
 */
export const offerFiles = request('offerFiles', 'compiler-to-executor', {
  feature: 'files',
  params: v.strictObject({ contents: v.pipe(v.array(fileContent), v.maxLength(MAX_ENTRIES)) }),
  result: v.strictObject({
    /** Their places in the list. */
    missing: v.pipe(v.array(count), v.maxLength(MAX_ENTRIES)),
  }),
});

/**
 * A slice of a content that was offered and is missing; one content after the other, each from its start to its end. One that is
 * not what its digest says is refused with its last slice.
 */
export const sendFile = request('sendFile', 'compiler-to-executor', {
  feature: 'files',
  params: v.strictObject({
    /** Its place in the list of the offer. */
    index: count,
    offset: byteCount,
    slice: v.pipe(bytes, v.maxLength(MAX_SLICE_BYTES)),
  }),
  result: v.strictObject({}),
});

/**
 * What is in the writable folders of the last runner that was given files, once it is gone; links are not followed. It is kept until
 * `releaseFiles`, and until another runner is given files.
 */
export const listFiles = request('listFiles', 'compiler-to-executor', {
  feature: 'files',
  params: v.strictObject({
    /** How many have been listed already. */
    from: count,
  }),
  result: v.strictObject({
    files: v.pipe(
      v.array(
        v.strictObject({
          path: pathBytes,
          /** Others are symbolic links, and what cannot be read: of a folder its path ends with a slash. */
          isFile: v.boolean(),
          sizeBytes: byteCount,
        }),
      ),
      v.maxLength(MAX_LISTED),
    ),
    isLast: v.boolean(),
    /** Entries that are not listed: their paths are too long, or there are too many. */
    omitted: count,
  }),
});

/** A slice of a file that was listed, by its place in the list; less than was asked for at its end. */
export const readFile = request('readFile', 'compiler-to-executor', {
  feature: 'files',
  params: v.strictObject({
    file: count,
    offset: byteCount,
    sizeBytes: v.pipe(byteCount, v.maxValue(MAX_SLICE_BYTES)),
  }),
  result: v.strictObject({ content: bytes }),
});

/** What a runner has left in its writable folders, and what was offered, is needed no more. */
export const releaseFiles = notification('releaseFiles', 'compiler-to-executor', {
  feature: 'files',
  params: v.strictObject({}),
});
