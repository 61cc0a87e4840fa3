import type { IRBuilder, IRFunction } from '../ir/ir-builder.js';
import { DOUBLE, I8, I64, type IRType } from '../ir/types.js';
import { SLOT_BYTES } from './call-signature.js';

/**
 * Emits `void loop(i8* block)`, which applies `double body(double…)` to columns of doubles, element by element:
 *
 * | block offset | holds |
 * | --- | --- |
 * | 0 | number of elements, an i64 |
 * | 8 + 8·i | address of column i |
 *
 * Results take the place of column 0: an iteration writes just what it alone reads, so that LLVM can run several at once.
 */
export function emitLoop(ir: IRBuilder, loop: IRFunction, body: IRFunction, columnCount: number): void {
  const block = ir.argument(loop, 0);
  const slot = (type: IRType, index: number) =>
    ir.cast('bitcast', ir.gep(I8, block, ir.int64(SLOT_BYTES * index)), type.pointer);

  const entry = ir.addBlock(loop, 'entry');
  ir.continueIn(entry);
  const count = ir.load(I64, slot(I64, 0), 'count');
  const columns = Array.from({ length: columnCount }, (_, index) =>
    ir.load(DOUBLE.pointer, slot(DOUBLE.pointer, 1 + index), 'column'),
  );
  const elementBlock = ir.addBlock(loop, 'element');
  const endBlock = ir.addBlock(loop, 'end');
  const zero = ir.int64(0);
  ir.condBr(ir.icmp('ult', zero, count), elementBlock, endBlock);

  ir.continueIn(elementBlock);
  const index = ir.phi(I64, 'index');
  const places = columns.map((column) => ir.gep(DOUBLE, column, index));
  const values = places.map((place) => ir.load(DOUBLE, place));
  const [result] = places;
  if (result === undefined) throw new RangeError('a loop needs a column for its results');
  ir.store(ir.call(body, values), result);
  const next = ir.binary('add', index, ir.int64(1), 'next');
  ir.condBr(ir.icmp('ult', next, count), elementBlock, endBlock);
  ir.addIncoming(index, zero, entry);
  ir.addIncoming(index, next, elementBlock);

  ir.continueIn(endBlock);
  ir.retVoid();
}
