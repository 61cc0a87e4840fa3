import type { IRBuilder, IRFunction, IRLibrary, IRType } from '../llvm/ir-library.js';
import { SLOT_BYTES } from './call-signature.js';

/** What a `ModulePool` has for whoever emits. */
interface Emitter {
  readonly library: Omit<IRLibrary<never>, 'Module' | 'Function'>;
  readonly context: object;
  readonly builder: IRBuilder;
  readonly double: IRType;
}

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
export function emitLoop(
  { library, context, builder, double }: Emitter,
  loop: IRFunction,
  body: IRFunction,
  columnCount: number,
): void {
  const i64 = library.Type.getInt64Ty(context);
  const columnType = library.PointerType.get(double, 0);
  const block = (name: string) => library.BasicBlock.Create(context, name, loop);
  const slot = (type: IRType, index: number) => {
    const offset = builder.getInt64(SLOT_BYTES * index);
    const address = builder.CreateGEP(library.Type.getInt8Ty(context), loop.getArg(0), offset);
    return builder.CreateBitCast(address, library.PointerType.get(type, 0));
  };

  const entry = block('entry');
  builder.SetInsertPoint(entry);
  const count = builder.CreateLoad(i64, slot(i64, 0), 'count');
  const columns = Array.from({ length: columnCount }, (_, index) =>
    builder.CreateLoad(columnType, slot(columnType, 1 + index), 'column'),
  );
  const elementBlock = block('element');
  const endBlock = block('end');
  const zero = builder.getInt64(0);
  builder.CreateCondBr(builder.CreateICmpULT(zero, count), elementBlock, endBlock);

  builder.SetInsertPoint(elementBlock);
  const index = builder.CreatePHI(i64, 2, 'index');
  const places = columns.map((column) => builder.CreateGEP(double, column, index));
  const values = places.map((place) => builder.CreateLoad(double, place));
  const [result] = places;
  if (!result) throw new RangeError('a loop needs a column for its results');
  builder.CreateStore(builder.CreateCall(body, values), result);
  const next = builder.CreateAdd(index, builder.getInt64(1), 'next');
  builder.CreateCondBr(builder.CreateICmpULT(next, count), elementBlock, endBlock);
  index.addIncoming(zero, entry);
  index.addIncoming(next, elementBlock);

  builder.SetInsertPoint(endBlock);
  builder.CreateRetVoid();
}
