import { FRAME_CELL_SHIFT, FRAME_INDEX, FRAME_LEVEL_SHIFT } from './native/shared-layout.js';

const HEAD_BYTES = 8;

/** A level of the frame index's cells: those of code with equal bits from `shift` on. */
export interface FrameLevel {
  readonly shift: number;
  /** Index of the first cell's head. */
  readonly firstHead: number;
}

/** The levels for so much code, and how many cells they have together. */
export function frameLevels(codeBytes: number): {
  readonly levels: readonly FrameLevel[];
  readonly headCount: number;
} {
  const levels: FrameLevel[] = [];
  let headCount = 0;
  for (let shift = FRAME_CELL_SHIFT; ; shift += FRAME_LEVEL_SHIFT) {
    levels.push({ shift, firstHead: headCount });
    const last = (codeBytes - 1) >>> shift;
    headCount += last + 1;
    if (last === 0) return { levels, headCount };
  }
}

/** Bytes of the index without its nodes. */
export function frameHeadsBytes(codeBytes: number): number {
  return FRAME_INDEX.heads + frameLevels(codeBytes).headCount * HEAD_BYTES;
}
