import { EH_FRAME_SECTION } from '../../../jitlink/eh-frame.js';
import { type Block, Edge, KEEP_ALIVE, LinkGraph, LinkSymbol } from '../../../jitlink/link-graph.js';
import type { MachineCode, MacroAssembler } from './macro-assembler.js';

const TEXT_SECTION = '.text';
const CODE_ALIGNMENT = 16;
const FRAME_ALIGNMENT = 8;
/** Where in an FDE the pointers are. */
const CIE_POINTER_OFFSET = 4;
const PC_BEGIN_OFFSET = 8;

/** Functions as an object file's graph has them: each in a block, with a record of `.eh_frame` that lives as long. */
export function functionGraph(
  name: string,
  functions: readonly MachineCode[],
  { architecture, delta32 }: Pick<MacroAssembler, 'architecture' | 'delta32'>,
): LinkGraph {
  const graph = new LinkGraph(name, architecture);
  const text = graph.section(TEXT_SECTION, 'code');
  const frames = graph.section(EH_FRAME_SECTION, 'constant');
  frames.alignment = FRAME_ALIGNMENT;
  const symbols = new Map<string, LinkSymbol>();
  const blocks: [MachineCode, Block][] = [];
  let cie: LinkSymbol | undefined;
  for (const code of functions) {
    const sizeBytes = code.bytes.byteLength;
    const block = graph.addBlock(text, code.bytes, sizeBytes, { alignment: CODE_ALIGNMENT });
    blocks.push([code, block]);
    const symbol = graph.addSymbol(
      new LinkSymbol({
        name: code.symbol,
        kind: 'defined',
        block,
        sizeBytes,
        scope: 'default',
        callable: true,
        live: true,
      }),
    );
    symbols.set(code.symbol, symbol);
    cie ??= graph.addAnonymousSymbol(
      graph.addBlock(frames, code.cie, code.cie.byteLength, { mergeable: true }),
      0,
    );
    const fde = graph.addBlock(frames, code.fde, code.fde.byteLength);
    fde.edges.push(
      new Edge(architecture.negDelta32, CIE_POINTER_OFFSET, cie, 0n),
      new Edge(delta32, PC_BEGIN_OFFSET, symbol, 0n),
    );
    block.edges.push(new Edge(KEEP_ALIVE, 0, graph.addAnonymousSymbol(fde, 0), 0n));
  }
  for (const [{ references }, block] of blocks)
    for (const { kind, offset, addend, symbol } of references) {
      let target = symbols.get(symbol);
      if (!target) {
        target = graph.addSymbol(new LinkSymbol({ name: symbol, kind: 'external', scope: 'default' }));
        symbols.set(symbol, target);
      }
      block.edges.push(new Edge(kind, offset, target, addend));
    }
  return graph;
}
