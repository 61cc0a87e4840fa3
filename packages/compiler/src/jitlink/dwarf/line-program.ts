import type { ByteReader } from './byte-reader.js';
import type { LineHeader } from './line-header.js';

/** Where a sequence of rows begins: in which section, and how far in it. */
export interface SequenceStart {
  readonly section: number;
  readonly offset: number;
}

/** A row of the table: from an offset of a section on, code is of a line. */
export interface LineRow extends SequenceStart {
  /** A number in the header's list. */
  readonly file: number;
  /** 0 for code of no line. */
  readonly line: number;
}

/** Opcodes of DWARF 5, sections 6.2.5.2 and 6.2.5.3. Others say nothing of lines. */
const OPCODE = {
  extended: 0,
  copy: 1,
  advancePC: 2,
  advanceLine: 3,
  setFile: 4,
  constAddPC: 8,
  fixedAdvancePC: 9,
} as const;
const EXTENDED = { endSequence: 1, setAddress: 2 } as const;
const FIRST_SPECIAL_LIMIT = 255;

/**
 * Runs a line program.
 * @param startAt what the address at an offset of the program stands for; undefined when it is of no section.
 * @throws {RangeError} for what is none.
 */
export function* runLineProgram(
  reader: ByteReader,
  { end, minInstructionBytes, lineBase, lineRange, opcodeBase, operandCounts }: LineHeader,
  startAt: (operandOffset: number) => SequenceStart | undefined,
): Generator<LineRow> {
  if (lineRange === 0) throw new RangeError('a line range of 0');
  let start: SequenceStart | undefined;
  let [advance, file, line] = [0, 1, 1];
  const row = function* (rowLine = line): Generator<LineRow> {
    if (start) yield { section: start.section, offset: start.offset + advance, file, line: rowLine };
  };
  while (reader.offset < end) {
    const opcode = reader.u8();
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      advance += Math.floor(adjusted / lineRange) * minInstructionBytes;
      line += lineBase + (adjusted % lineRange);
      yield* row();
      continue;
    }
    switch (opcode) {
      case OPCODE.extended: {
        const length = reader.uleb();
        const next = reader.offset + length;
        const extended = length > 0 ? reader.u8() : 0;
        if (extended === EXTENDED.setAddress) {
          start = startAt(reader.offset);
          advance = 0;
        } else if (extended === EXTENDED.endSequence) {
          // Nothing is known of what follows.
          yield* row(0);
          start = undefined;
          [advance, file, line] = [0, 1, 1];
        }
        reader.offset = next;
        break;
      }
      case OPCODE.copy:
        yield* row();
        break;
      case OPCODE.advancePC:
        advance += reader.uleb() * minInstructionBytes;
        break;
      case OPCODE.advanceLine:
        line += reader.sleb();
        break;
      case OPCODE.setFile:
        file = reader.uleb();
        break;
      case OPCODE.constAddPC:
        advance += Math.floor((FIRST_SPECIAL_LIMIT - opcodeBase) / lineRange) * minInstructionBytes;
        break;
      case OPCODE.fixedAdvancePC:
        advance += reader.u16();
        break;
      default:
        for (let left = operandCounts[opcode - 1] ?? 0; left > 0; left--) reader.uleb();
    }
  }
}
