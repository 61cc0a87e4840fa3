import test from 'ava';
import type { CArgument, CValue } from '../../src/calls/c-values.js';
import type { CallSignature } from '../../src/calls/call-signature.js';
import { parseSignature } from '../../src/calls/signature-text.js';
import type { ArgumentsOf, ResultOf } from '../../src/calls/typed-signature.js';

/** What a signature is typed as; `isTyped` is compiled where that is so, and nowhere else. */
type Typed<Words> = (...args: ArgumentsOf<Words>) => ResultOf<Words>;
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

type Pointer = bigint | string | ArrayBufferView | null;
type Untyped = (...args: CArgument[]) => CValue | undefined;

/** Has the compiler see what the words are typed as, and `parseSignature` that they are a signature. */
function isTyped<Words extends string, Expected>(words: Words, _same: Same<Typed<Words>, Expected>): string {
  return words;
}

test('what the types read is what a signature says', (t) => {
  const read = [
    isTyped<'i32(i32, i32)', (a: number, b: number) => number>('i32(i32, i32)', true),
    isTyped<'void()', () => undefined>('void()', true),
    isTyped<'i64(u64, i64)', (a: bigint | number, b: bigint | number) => bigint>('i64(u64, i64)', true),
    isTyped<'ptr(ptr, inout ptr)', (a: Pointer, b: ArrayBufferView) => bigint>('ptr(ptr, inout ptr)', true),
    isTyped<
      'i1(i1, i8, u8, i16, u16, u32, float, double)',
      (...args: [number, number, number, number, number, number, number, number]) => number
    >('i1(i1, i8, u8, i16, u16, u32, float, double)', true),
    isTyped<
      '{double, {i64, ptr}}({double, {i64, ptr}})',
      (
        a: readonly [number, readonly [bigint | number, Pointer]],
      ) => readonly [number, readonly [bigint, bigint]]
    >('{double, {i64, ptr}}({double, {i64, ptr}})', true),
    isTyped<
      '{[4 x [2 x u64]], i8}({[3 x float]}, i32)',
      (a: readonly [readonly number[]], b: number) => readonly [readonly (readonly bigint[])[], number]
    >('{[4 x [2 x u64]], i8}({[3 x float]}, i32)', true),
    isTyped<' void ( inout\n\tptr ,i16 ) ', (a: ArrayBufferView, b: number) => undefined>(
      ' void ( inout\n\tptr ,i16 ) ',
      true,
    ),
    isTyped<'void({{{{{{{{{{{{{{{{i8}}}}}}}}}}}}}}}})', (a: Deep) => undefined>(
      'void({{{{{{{{{{{{{{{{i8}}}}}}}}}}}}}}}})',
      true,
    ),
  ];
  for (const words of read) t.notThrows(() => parseSignature(words), words);
});

type In<T> = readonly [T];
type In4<T> = In<In<In<In<T>>>>;
type Deep = In4<In4<In4<In4<number>>>>;

/** As many as a signature of a generated program may have. */
type Many = `void(i32${Twice<Twice<Twice<Twice<Twice<', i32'>>>>>})`;
type Twice<Text extends string> = `${Text}${Text}`;

test('where the words are not known, nothing is said of arguments and results', (t) => {
  const unknown: Same<Typed<string>, Untyped> = true;
  const object: Same<Typed<CallSignature>, Untyped> = true;
  const either: Same<Typed<CallSignature | 'void()'>, Untyped> = true;
  const several: Same<Typed<'i32(i32)' | 'i64(i64)'>, Untyped> = true;
  const pattern: Same<Typed<`i32(${string})`>, Untyped> = true;
  const started: Same<Typed<`i32(i32, ${'i8' | 'ptr'}, ${string}`>, Untyped> = true;
  const anything: Same<Typed<ReturnType<typeof JSON.parse>>, Untyped> = true;
  const none: Same<Typed<'int(int)'>, Untyped> = true;
  const cut: Same<Typed<'i32(i32'>, Untyped> = true;
  const more: Same<Typed<'i32(i32) x'>, Untyped> = true;
  const word: Same<Typed<'i32(i328)'>, Untyped> = true;
  const all = [unknown, object, either, several, pattern, started, anything, none, cut, more, word];
  t.false(all.includes(false as true));
  const many: ArgumentsOf<Many>['length'] = 33;
  t.is(many, 33);
});
