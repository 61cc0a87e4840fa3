import type { ArrayKind, FieldKind, ScalarKind, StructKind } from './call-signature.js';

const SCALAR_BYTES: Readonly<Record<ScalarKind, number>> = {
  double: 8,
  float: 4,
  i1: 1,
  i8: 1,
  u8: 1,
  i16: 2,
  u16: 2,
  i32: 4,
  u32: 4,
  i64: 8,
  u64: 8,
  ptr: 8,
};

/** Structs and arrays in each other: more is no type that anybody writes. */
export const MAX_DEPTH = 16;

/** Bytes that a value takes in memory, and what its address is a multiple of. */
export interface Layout {
  readonly sizeBytes: number;
  readonly alignment: number;
}

/** A scalar of a value, and where it is in that. */
export interface PlacedScalar {
  readonly kind: ScalarKind;
  readonly offset: number;
}

export function isStruct(kind: FieldKind | 'inout ptr' | 'void'): kind is StructKind {
  return typeof kind === 'object' && 'fields' in kind;
}

export function isArray(kind: FieldKind): kind is ArrayKind {
  return typeof kind === 'object' && 'element' in kind;
}

/** How C lays a value out: System V psABI for x86-64, 3.1.2. */
export function layoutOf(kind: FieldKind): Layout {
  if (isArray(kind)) {
    const { sizeBytes, alignment } = layoutOf(kind.element);
    return { sizeBytes: kind.count * sizeBytes, alignment };
  }
  if (!isStruct(kind)) return { sizeBytes: SCALAR_BYTES[kind], alignment: SCALAR_BYTES[kind] };
  let endOffset = 0;
  let alignment = 1;
  for (const field of kind.fields) {
    const layout = layoutOf(field);
    endOffset = alignedTo(endOffset, layout.alignment) + layout.sizeBytes;
    alignment = Math.max(alignment, layout.alignment);
  }
  return { sizeBytes: alignedTo(endOffset, alignment), alignment };
}

/** Offset of each field of a struct, or of each element of an array. */
export function partsOf(
  kind: StructKind | ArrayKind,
): { readonly kind: FieldKind; readonly offset: number }[] {
  if (isArray(kind)) {
    const { sizeBytes } = layoutOf(kind.element);
    return Array.from({ length: kind.count }, (_, index) => ({
      kind: kind.element,
      offset: index * sizeBytes,
    }));
  }
  let endOffset = 0;
  return kind.fields.map((field) => {
    const { sizeBytes, alignment } = layoutOf(field);
    const offset = alignedTo(endOffset, alignment);
    endOffset = offset + sizeBytes;
    return { kind: field, offset };
  });
}

/** All scalars that a value consists of, in order. */
export function scalarsOf(kind: FieldKind, offset = 0): PlacedScalar[] {
  if (!isStruct(kind) && !isArray(kind)) return [{ kind, offset }];
  return partsOf(kind).flatMap((part) => scalarsOf(part.kind, offset + part.offset));
}

function alignedTo(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}
