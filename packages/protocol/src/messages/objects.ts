import * as v from 'valibot';
import { request } from './declare.js';
import { bytes, count } from './primitives.js';

/** Of the name of a store. */
export const STORE_NAME_BYTES = 8;
/** SHA-256. */
export const OBJECT_KEY_BYTES = 32;
/** Of a key, as it is listed. */
export const PREFIX_BYTES = 8;
/** Keys or objects of one message. */
export const MAX_OBJECTS = 1024;
/** Content of one message: it fits into a frame. */
export const MAX_OBJECTS_BYTES = 3 * 1024 * 1024;
/** Objects that are listed, those that were used last first. */
export const MAX_LISTED_OBJECTS = 64 * 1024;

/** Which of an identity's objects: each key that compilers seal with has a store of its own. */
const store = v.pipe(bytes, v.minLength(STORE_NAME_BYTES), v.maxLength(STORE_NAME_BYTES));

const objectKey = v.pipe(bytes, v.minLength(OBJECT_KEY_BYTES), v.maxLength(OBJECT_KEY_BYTES));

/** An object and its key. What it is, and who has sealed it, is the compilers' business. */
export const keptObject = v.strictObject({
  key: objectKey,
  content: v.pipe(bytes, v.maxLength(MAX_OBJECTS_BYTES)),
});
export type KeptObject = v.InferOutput<typeof keptObject>;

/** Which objects compilers of this identity have left, as far as they are kept. */
export const listObjects = request('listObjects', 'compiler-to-executor', {
  feature: 'object-store',
  params: v.strictObject({ store }),
  result: v.strictObject({
    /** The first bytes of each one's key, one after the other. */
    prefixes: v.pipe(bytes, v.maxLength(MAX_LISTED_OBJECTS * PREFIX_BYTES)),
  }),
});

/** Objects under some keys. One that is there no more is missing in the answer. */
export const findObjects = request('findObjects', 'compiler-to-executor', {
  feature: 'object-store',
  params: v.strictObject({ store, keys: v.pipe(v.array(objectKey), v.maxLength(MAX_OBJECTS)) }),
  result: v.strictObject({
    objects: v.pipe(v.array(keptObject), v.maxLength(MAX_OBJECTS)),
    /** Of how many keys, from the first on, the answer speaks: those behind them are to be asked for again. */
    answered: count,
  }),
});

/**
 * Leaves objects for whoever of this identity asks for them, in place of those that were there under their keys. The ones that are used
 * least go when there are too many: the identity's quota says, and the executor's memory.
 */
export const keepObjects = request('keepObjects', 'compiler-to-executor', {
  feature: 'object-store',
  params: v.strictObject({ store, objects: v.pipe(v.array(keptObject), v.maxLength(MAX_OBJECTS)) }),
  result: v.strictObject({}),
});
