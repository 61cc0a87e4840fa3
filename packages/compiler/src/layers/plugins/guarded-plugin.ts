import { executorAddr, fits, nameText } from '../../core/arguments.js';
import type { ObjectPart } from '../../core/materialization-unit.js';
import type { ObjectLinkingPlugin } from '../object-linking-plugin.js';
import { PluginError } from './plugin-error.js';

/** Hooks whose failure is the link's. The others may wait for what they like: what they throw is their own affair. */
type GuardedHook = 'prePrune' | 'postPrune' | 'postFixup' | 'ownNames' | 'resolve' | 'emitted';

/**
 * A caller's plugin of which every failure says whose it is. A link is done in one turn of the event loop, so a hook that gives
 * back a promise would be too late, and is refused.
 * @param index which one of the caller's it is, from 0 on.
 */
export function guardedPlugin(plugin: ObjectLinkingPlugin, index: number): ObjectLinkingPlugin {
  const className = plugin.constructor?.name ?? '';
  const name = className === '' || className === 'Object' ? `number ${index + 1}` : className;
  const guard = <Result>(hook: GuardedHook, { unit }: ObjectPart, run: () => Result): Result => {
    const refuse = (why: string, options?: ErrorOptions) =>
      new PluginError(unit.name, { plugin: name, hook }, why, options);
    let result: Result;
    try {
      result = run();
    } catch (cause) {
      throw refuse(`failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
    if (result instanceof Promise) {
      // What becomes of it is of no use to anybody.
      result.catch(() => {});
      throw refuse('gave back a promise, and a link waits for nobody');
    }
    const wrong = mistakeIn(hook, result);
    if (wrong !== undefined) throw refuse(`gave back ${wrong}`);
    return result;
  };
  const { prePrune, postPrune, postFixup, ownNames, resolve, emitted, failed, removing } = plugin;
  return {
    ...(prePrune && {
      prePrune: (graph, part) => guard('prePrune', part, () => prePrune.call(plugin, graph, part)),
    }),
    ...(postPrune && {
      postPrune: (graph, part) => guard('postPrune', part, () => postPrune.call(plugin, graph, part)),
    }),
    ...(postFixup && {
      postFixup: (graph, part) => guard('postFixup', part, () => postFixup.call(plugin, graph, part)),
    }),
    ...(ownNames && { ownNames: (part) => guard('ownNames', part, () => ownNames.call(plugin, part)) }),
    ...(resolve && {
      resolve: (part, runner) => guard('resolve', part, () => resolve.call(plugin, part, runner)),
    }),
    ...(emitted && {
      emitted: (linked, graph, runner) =>
        guard('emitted', linked.part, () => emitted.call(plugin, linked, graph, runner)),
    }),
    ...(failed && { failed: failed.bind(plugin) }),
    ...(removing && { removing: removing.bind(plugin) }),
  };
}

/** What is wrong with what a hook gave back, in words. */
function mistakeIn(hook: GuardedHook, result: unknown): string | undefined {
  if (hook === 'ownNames')
    return Array.isArray(result) && result.every((name) => fits(nameText, name))
      ? undefined
      : 'no array of names';
  if (hook !== 'resolve') return undefined;
  const isRight =
    result instanceof Map && [...result.values()].every((address) => fits(executorAddr, address));
  return isRight ? undefined : 'no map from names to addresses';
}
