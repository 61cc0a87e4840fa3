import { monotonicMs } from '@farjit/protocol/clock';
import type { WrapperSignature } from '../calls/call-signature.js';
import type { CompileReport } from '../core/materialization-unit.js';
import { KEEP_ALIVE, type LinkGraph } from '../jitlink/link-graph.js';
import { ObjectSlice } from '../jitlink/object-slice.js';
import type { FirstCodeRequest, FrontEnd, WrapperCodeRequest } from './front-end.js';
import { checkCalledName } from './function-name.js';

/** Code that a front end has made itself, and what that took. */
export interface MadeFirstCode {
  readonly slice: ObjectSlice;
  readonly report: CompileReport;
}

/**
 * Has a front end make a function's first code, at once.
 * @returns undefined when it makes none of this one.
 * @throws what the front end's `check` throws, and `NAME` for calls of names that no code can call.
 */
export function makeFirstCode<Body extends object>(
  frontEnd: FrontEnd<Body>,
  body: Body,
  request: FirstCodeRequest,
): MadeFirstCode | undefined {
  const { symbol, entry } = request;
  const make = () => {
    const graph = frontEnd.firstCode?.(body, request);
    if (graph) checkReferences(graph, request);
    return graph;
  };
  const startMs = monotonicMs();
  frontEnd.check(body);
  return madeBy(make, entry === undefined ? [symbol] : [symbol, entry], startMs);
}

/** Has a front end make the code that calls of a signature go through. */
export function makeWrapper(
  frontEnd: Pick<FrontEnd<object>, 'wrapperCode'>,
  signature: WrapperSignature,
  request: WrapperCodeRequest,
): MadeFirstCode | undefined {
  return madeBy(() => frontEnd.wrapperCode?.(signature, request), [request.symbol], monotonicMs());
}

/** @param make makes the same each time: it depends on nothing that changes. */
function madeBy(
  make: () => LinkGraph | undefined,
  symbols: readonly string[],
  startMs: number,
): MadeFirstCode | undefined {
  let graph = make();
  if (!graph) return undefined;
  const slice = new ObjectSlice(symbols, () => {
    // What is linked is used up.
    const made = graph ?? make();
    graph = undefined;
    if (!made) throw new Error(`${symbols[0]} is not made again`);
    return made;
  });
  const timings = { irgenMs: 0, parseMs: 0, passesMs: 0, emitMs: monotonicMs() - startMs };
  return { slice, report: { compiler: 'front-end', objectBytes: slice.sizeBytes, timings } };
}

const BYTES_IN_A_LINE = 12;

/** First code in assembly; as bytes, with what the linker puts where, if its front end has no words for it. */
export function printFirstCode<Body extends object>(
  frontEnd: FrontEnd<Body>,
  body: Body,
  request: FirstCodeRequest,
): string | undefined {
  const made = makeFirstCode(frontEnd, body, request);
  return made && (frontEnd.printFirstCode?.(body, request) ?? bytesOf(made.slice.takeGraph()));
}

function bytesOf({ architecture, sections, symbols }: LinkGraph): string {
  const lines: string[] = [];
  for (const block of sections.flatMap(({ prot, blocks }) => (prot === 'code' ? blocks : []))) {
    const name = symbols.find((symbol) => symbol.block === block && symbol.name !== '')?.name;
    lines.push(`"${name ?? block.section.name}":`);
    const content = block.content ?? new Uint8Array();
    for (let at = 0; at < content.byteLength; at += BYTES_IN_A_LINE) {
      const bytes = content.subarray(at, at + BYTES_IN_A_LINE);
      lines.push(`\t.byte ${[...bytes].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(', ')}`);
    }
    for (const { kind, offset, target } of block.edges)
      if (kind !== KEEP_ALIVE)
        lines.push(`\t# at ${offset}: ${architecture.edgeKindName(kind)} of "${target.name}"`);
  }
  return `${lines.join('\n')}\n`;
}

function checkReferences({ symbols }: LinkGraph, { counting }: FirstCodeRequest): void {
  for (const { kind, name } of symbols) {
    const isCounting =
      name === counting?.counter || name === counting?.threshold || name === counting?.function;
    if (kind === 'external' && !isCounting) checkCalledName(name);
  }
}
