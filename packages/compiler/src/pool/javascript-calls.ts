import type { JIT } from '../jit/jit.js';
import type { Definition, Definitions } from './definitions.js';
import { MATHEMATICS } from './mathematics.js';

/**
 * Finds out whether a function may call one in JavaScript. What a front end's functions call is known, and they have no pointers.
 * What others have made may call through any pointer that any of it has stored, so it is taken to call all that any of it
 * refers to; assembly in a module, and what an archive is yet to supply, is taken to refer to anything.
 * @returns one that it may call; undefined where it calls none.
 */
export function reachedInJavaScript<Session extends JIT>(
  name: string,
  definitions: Definitions<Session>,
  hasArchives: boolean,
): string | undefined {
  const [any] = definitions.namesInJavaScript;
  if (any === undefined) return undefined;
  const seen = new Set([name]);
  let isForeignSeen = false;
  const reach = (names: Iterable<string>) => {
    for (const each of names) seen.add(each);
  };
  // What is reached meanwhile is gone through, too.
  for (const each of seen) {
    const definition = definitions.find(each);
    if (definition?.isInJavaScript) return each;
    if (definition?.callees) reach(definition.callees);
    else if (definition && !isForeignSeen) {
      isForeignSeen = true;
      const foreign = [...definitions.all()].filter(
        ({ isInJavaScript, callees }) => !isInJavaScript && !callees,
      );
      if (hasArchives || foreign.some(refersToAnything)) return any;
      for (const { declares = [] } of foreign) reach(declares);
    } else if (!definition && hasArchives && !MATHEMATICS.has(each)) return any;
  }
  return undefined;
}

function refersToAnything<Session extends JIT>({ symbols, declares, hasAssembly }: Definition<Session>) {
  return hasAssembly || (symbols.size > 0 && !declares);
}
