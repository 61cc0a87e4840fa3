import { LinkError } from './errors.js';
import { KEEP_ALIVE, type LinkGraph, LinkSymbol } from './link-graph.js';

/**
 * Makes functions answer through their indirect stubs: each function that is not local and that `isStubbed` accepts is
 * renamed to its implementation name, and all that referred to it refers to the external `name` instead, which the
 * session resolves to the stub. A function's address is then the same inside and outside of its own body, and
 * recursive calls see a redefinition.
 *
 * References that the compiler bound locally (`.Lf$local` of `dso_local` functions, the function's `.eh_frame`
 * record) keep meaning the code. Run it before dead-stripping.
 *
 * @throws {LinkError} when the implementation name is taken.
 */
export function redirectToStubs(
  graph: LinkGraph,
  isStubbed: (name: string) => boolean,
  implementationName: (name: string) => string,
): void {
  const isRedirected = ({ kind, scope, callable, name }: LinkSymbol) =>
    kind === 'defined' && scope !== 'local' && callable && isStubbed(name);
  if (!graph.symbols.some(isRedirected)) return;
  const stubOf = new Map<LinkSymbol, LinkSymbol>();
  const taken = new Set<string>();
  const externals = new Map<string, LinkSymbol>();
  for (const symbol of graph.symbols) {
    if (symbol.kind === 'external') externals.set(symbol.name, symbol);
    else if (symbol.scope !== 'local') taken.add(symbol.name);
  }
  for (const symbol of [...graph.symbols]) {
    if (!isRedirected(symbol)) continue;
    const { name } = symbol;
    const renamed = implementationName(name);
    if (taken.has(renamed))
      throw new LinkError(
        'duplicate-definition',
        { graph: graph.name, symbol: renamed, names: [renamed] },
        `"${renamed}", the implementation name of "${name}", is already defined`,
      );
    taken.add(renamed);
    symbol.name = renamed;
    let stub = externals.get(name);
    if (!stub) {
      stub = graph.addSymbol(new LinkSymbol({ name, kind: 'external', scope: 'default' }));
      externals.set(name, stub);
    }
    stubOf.set(symbol, stub);
  }
  for (const section of graph.sections)
    for (const block of section.blocks)
      for (const edge of block.edges)
        if (edge.kind !== KEEP_ALIVE) edge.target = stubOf.get(edge.target) ?? edge.target;
}
