import type { CArgument, CValue } from './c-values.js';
import type { ScalarKind } from './call-signature.js';
import type { ScalarValue } from './scalars.js';

// Reads a signature in words as `parseSignature` does, in types.

/**
 * What a function of a signature is given: `[number, bigint | number]` for `'i64(i32, u64)'`. Where the words are not known
 * when a program is compiled, may be several, or cannot be read in types, and for a signature that is an object: whatever
 * functions of C are given.
 */
export type ArgumentsOf<Signature> =
  Read<Signature> extends [unknown, infer Parameters extends readonly unknown[]]
    ? { [Index in keyof Parameters]: ArgumentOf<Parameters[Index]> }
    : CArgument[];

/** What a function of a signature gives: `bigint` for `'i64(i32, u64)'`, and whatever functions of C give as above. */
export type ResultOf<Signature> =
  Read<Signature> extends [infer Result, unknown] ? ValueOf<Result> : CValue | undefined;

/** What a function in JavaScript of a signature is given: `[number, bigint]` for `'i64(i32, u64)'`, and scalars of all kinds as above. */
export type ValuesOf<Signature> =
  Read<Signature> extends [unknown, infer Parameters extends readonly unknown[]]
    ? { [Index in keyof Parameters]: ValueOf<Parameters[Index]> }
    : ScalarValue[];

/** What one may give: `bigint | number` for `'i64(i32, u64)'`. */
export type ReturnedFor<Signature> =
  Read<Signature> extends [infer Result, unknown]
    ? ReturnOf<Result>
    : ScalarValue | boolean | null | undefined;

type ReturnOf<Kind> = Kind extends 'void'
  ? unknown
  : Kind extends 'i1'
    ? boolean | number
    : Kind extends Wide
      ? bigint | number
      : Kind extends 'ptr'
        ? bigint | number | null
        : number;

type ArgumentOf<Kind> = Kind extends Wide
  ? bigint | number
  : Kind extends 'ptr'
    ? bigint | string | ArrayBufferView | null
    : Kind extends Inout
      ? ArrayBufferView
      : Kind extends StructOf<infer Fields>
        ? { readonly [Index in keyof Fields]: ArgumentOf<Fields[Index]> }
        : Kind extends ArrayOf<infer Element>
          ? readonly ArgumentOf<Element>[]
          : number;

type ValueOf<Kind> = Kind extends 'void'
  ? undefined
  : Kind extends Wide | 'ptr'
    ? bigint
    : Kind extends StructOf<infer Fields>
      ? { readonly [Index in keyof Fields]: ValueOf<Fields[Index]> }
      : Kind extends ArrayOf<infer Element>
        ? readonly ValueOf<Element>[]
        : number;

type Wide = 'i64' | 'u64';
type Inout = 'inoutptr';
interface StructOf<Fields extends readonly unknown[]> {
  readonly fields: Fields;
}
interface ArrayOf<Element> {
  readonly element: Element;
}

/** `[result, parameters]`; undefined for what is no signature, and where it is not known which. */
type Read<Signature> = [Signature] extends [string]
  ? IsOneText<Signature> extends true
    ? ReadFunction<WithoutSpaces<Signature>>
    : undefined
  : undefined;

/**
 * Whether it is one literal: neither `any` nor `string`, nor a pattern, of which a record has no property that must be there,
 * nor a union.
 */
type IsOneText<Text extends string, Each = Text> = string extends Text
  ? false
  : Record<never, never> extends Record<Text, unknown>
    ? false
    : Each extends unknown
      ? [Text] extends [Each]
        ? true
        : false
      : never;

// What reads a part of a text gives `[what it has read, the rest]`, or undefined.

type ReadFunction<Text extends string> =
  ReadResult<Text> extends [infer Result, `(${infer Rest}`]
    ? ReadList<Rest, ')', ScalarKind | Inout> extends [infer Parameters, '']
      ? [Result, Parameters]
      : undefined
    : undefined;

type ReadResult<Text extends string> = Text extends `void${infer Rest}` ? ['void', Rest] : ReadKind<Text>;

type ReadKind<Text extends string, Words extends string = ScalarKind> = Text extends `{${infer Rest}`
  ? ReadStruct<ReadList<Rest, '}'>>
  : Text extends `[${number}x${infer Rest}`
    ? ReadArray<ReadKind<Rest>>
    : ReadWord<Text, Words>;

type ReadStruct<List> = List extends [infer Fields extends readonly unknown[], infer Rest]
  ? [StructOf<Fields>, Rest]
  : undefined;

type ReadArray<Part> = Part extends [infer Element, `]${infer Rest}`] ? [ArrayOf<Element>, Rest] : undefined;

/** Reads what is separated by commas, up to what ends it. */
type ReadList<
  Text extends string,
  End extends string,
  Words extends string = ScalarKind,
  Items extends readonly unknown[] = [],
> = Text extends `${End}${infer Rest}`
  ? [Items, Rest]
  : ReadKind<Text, Words> extends [infer Item, infer After extends string]
    ? After extends `,${infer Rest}`
      ? ReadList<Rest, End, Words, [...Items, Item]>
      : After extends `${End}${infer Rest}`
        ? [[...Items, Item], Rest]
        : undefined
    : undefined;

type ReadWord<Text extends string, Words extends string> = [WordAt<Text, Words>] extends [never]
  ? undefined
  : WordAt<Text, Words>;

/** The one word that ends where something else begins: `i1` does not in `i16)`. */
type WordAt<Text extends string, Word extends string> = Word extends unknown
  ? Text extends `${Word}${infer Rest}`
    ? Rest extends `${',' | '(' | ')' | '}' | ']'}${string}`
      ? [Word, Rest]
      : never
    : never
  : never;

/** Text that is no signature may become one by it; `lookup` refuses that. */
type WithoutSpaces<Text extends string> = Without<Without<Without<Without<Text, ' '>, '\t'>, '\n'>, '\r'>;

/** One character at a time: for several, each place of each would be inferred, and all their combinations read. */
type Without<
  Text extends string,
  Character extends string,
> = Text extends `${infer Before}${Character}${infer After}` ? Without<`${Before}${After}`, Character> : Text;
