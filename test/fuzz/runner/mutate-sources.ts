// Loader hooks of a host that a fault is put back into: its modules are changed as they are loaded.
import type { InitializeHook, LoadHook } from 'node:module';

/** A piece of a built module, and what stands there instead. */
export interface SourceMutation {
  /** The end of the module's path. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

let mutations: readonly SourceMutation[] = [];

export const initialize: InitializeHook<readonly SourceMutation[]> = (data) => {
  mutations = data;
};

/** @throws when a piece is not there exactly once: a mutation must not silently change nothing. */
export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  const wanted = mutations.filter(({ file }) => url.endsWith(file));
  if (wanted.length === 0 || loaded.source === undefined || loaded.source === null) return loaded;
  let source = Buffer.from(loaded.source as Uint8Array).toString();
  for (const { file, from, to } of wanted) {
    if (source.split(from).length !== 2) throw new Error(`${file} does not hold once: ${from}`);
    source = source.replace(from, () => to);
  }
  return { ...loaded, source };
};
