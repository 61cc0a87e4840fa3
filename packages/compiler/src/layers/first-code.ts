import { monotonicMs } from '@farjit/protocol/clock';
import type { CompileReport } from '../core/materialization-unit.js';
import { KEEP_ALIVE, type LinkGraph } from '../jitlink/link-graph.js';
import { ObjectSlice } from '../jitlink/object-slice.js';
import type { FirstCodeRequest, FrontEnd } from './front-end.js';
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
  const startMs = monotonicMs();
  frontEnd.check(body);
  let graph = frontEnd.firstCode?.(body, request);
  if (!graph) return undefined;
  checkReferences(graph, request);
  const { symbol, entry } = request;
  const slice = new ObjectSlice(entry === undefined ? [symbol] : [symbol, entry], () => {
    // What is linked is used up. It depends on the body alone, so the next one is the same.
    const made = graph ?? frontEnd.firstCode?.(body, request);
    graph = undefined;
    if (!made) throw new Error(`${frontEnd.name} does not make the code of ${symbol} again`);
    return made;
  });
  const objectBytes = slice.sizeBytes;
  const timings = { irgenMs: 0, parseMs: 0, passesMs: 0, emitMs: monotonicMs() - startMs };
  return { slice, report: { compiler: 'front-end', objectBytes, timings } };
}

const BYTES_IN_A_LINE = 12;

/** The code of a graph as an assembler reads it, with what the linker puts where. */
export function codeText({ architecture, sections, symbols }: LinkGraph): string {
  const lines: string[] = [];
  for (const section of sections)
    for (const block of section.prot === 'code' ? section.blocks : []) {
      const name = symbols.find((symbol) => symbol.block === block && symbol.name !== '')?.name;
      lines.push(`"${name ?? section.name}": # made without LLVM`);
      const content = block.content ?? new Uint8Array();
      for (let at = 0; at < content.byteLength; at += BYTES_IN_A_LINE) {
        const bytes = [...content.subarray(at, at + BYTES_IN_A_LINE)].map(
          (byte) => `0x${byte.toString(16).padStart(2, '0')}`,
        );
        lines.push(`\t.byte ${bytes.join(', ')}`);
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
