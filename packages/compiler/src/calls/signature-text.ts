import { run } from '@farjit/protocol';
import type {
  CallSignature,
  FieldKind,
  ParameterKind,
  ResultKind,
  ScalarKind,
  StructKind,
} from './call-signature.js';
import { isArray, isStruct, layoutOf, MAX_DEPTH } from './layout.js';
import { SignatureError } from './signature-error.js';

/** All of `ScalarKind`. */
export const SCALARS: readonly string[] = [
  'i1',
  'i8',
  'u8',
  'i16',
  'u16',
  'i32',
  'u32',
  'i64',
  'u64',
  'float',
  'double',
  'ptr',
] satisfies ScalarKind[];

/** What C calls a type, for who writes that. */
const IN_C: ReadonlyMap<string, ScalarKind> = new Map<string, ScalarKind>([
  ['bool', 'i1'],
  ['_Bool', 'i1'],
  ['char', 'i8'],
  ['short', 'i16'],
  ['int', 'i32'],
  ['unsigned', 'u32'],
  ['long', 'i64'],
  ['size_t', 'u64'],
  ['string', 'ptr'],
]);

const TOKEN = /\s*([A-Za-z_]\w*|\d+|\S)?/y;

/**
 * Reads a signature in words, in LLVM's names: `i32(ptr, i64)`, `void(inout ptr, u32)`, `{double, double}({i32, [4 x float]})`.
 * A parameter `inout ptr` is a pointer to an array that is read back after the call.
 * @throws {SignatureError} which says where.
 */
export function parseSignature(text: string): CallSignature {
  return new SignatureParser(text).parse();
}

/** The words that `parseSignature` reads. */
export function formatSignature({ result, parameters }: CallSignature): string {
  return `${formatKind(result)}(${parameters.map(formatKind).join(', ')})`;
}

function formatKind(kind: ResultKind | ParameterKind | FieldKind): string {
  if (typeof kind === 'string') return kind;
  if (isArray(kind)) return `[${kind.count} x ${formatKind(kind.element)}]`;
  return `{${kind.fields.map(formatKind).join(', ')}}`;
}

class SignatureParser {
  readonly #text: string;
  /** The token that is read next, empty at the end, and where it begins. */
  #token = '';
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
    this.#next();
  }

  parse(): CallSignature {
    const result = this.#accept('void') ? 'void' : this.#value();
    this.#expect('(');
    const parameters = this.#list(')', () => this.#parameter());
    if (this.#token !== '') this.#fail(`there is ${this.#found()} after the last )`);
    return { result, parameters };
  }

  #parameter(): ParameterKind {
    if (!this.#accept('inout')) return this.#value();
    this.#expect('ptr');
    return 'inout ptr';
  }

  #value(): ScalarKind | StructKind {
    const offset = this.#offset;
    const kind = this.#kind(0);
    if (isArray(kind)) this.#fail('an array is passed by a ptr, and is a type only in a struct', offset);
    return kind as ScalarKind | StructKind;
  }

  #kind(depth: number): FieldKind {
    const offset = this.#offset;
    if (depth > MAX_DEPTH) this.#fail(`there are more than ${MAX_DEPTH} types in each other`);
    let kind: FieldKind;
    if (this.#accept('{')) kind = { fields: this.#list('}', () => this.#kind(depth + 1)) };
    else if (this.#accept('[')) kind = this.#array(depth);
    else return this.#scalar();
    if (isStruct(kind) && kind.fields.length === 0) this.#fail('a struct has at least one field', offset);
    if (layoutOf(kind).sizeBytes > run.MAX_BLOCK_BYTES)
      this.#fail(`it is larger than ${run.MAX_BLOCK_BYTES} bytes, which is what a call has room for`, offset);
    return kind;
  }

  #array(depth: number): FieldKind {
    const count = Number(this.#token);
    if (!/^\d+$/.test(this.#token) || count === 0)
      this.#fail(`an array has a number of elements, as [4 x float] does, and not ${this.#found()}`);
    this.#next();
    this.#expect('x');
    const element = this.#kind(depth + 1);
    this.#expect(']');
    return { element, count };
  }

  #scalar(): ScalarKind {
    const offset = this.#offset;
    const word = this.#found();
    const name = this.#token;
    if (SCALARS.includes(name)) {
      this.#next();
      return name as ScalarKind;
    }
    if (name === 'void') this.#fail('only a result is void: what takes nothing has ()', offset);
    if (name === 'inout') this.#fail('only a parameter is inout', offset);
    const meant = IN_C.get(name);
    return this.#fail(
      meant === undefined
        ? `there is ${word} in the place of a type (${SCALARS.join(', ')}, or {…} for a struct)`
        : `C's ${name} is ${meant} here`,
      offset,
    );
  }

  /** What is separated by commas, up to what ends it. */
  #list<T>(end: string, item: () => T): T[] {
    const items: T[] = [];
    while (!this.#accept(end)) {
      if (items.length > 0) this.#expect(',', end);
      items.push(item());
    }
    return items;
  }

  #accept(token: string): boolean {
    if (this.#token !== token) return false;
    this.#next();
    return true;
  }

  #expect(token: string, other?: string): void {
    const either = other === undefined ? token : `${token} or ${other}`;
    if (this.#accept(token)) return;
    if (this.#token === '*') this.#fail('a pointer to anything is ptr here');
    this.#fail(`there is ${this.#found()} in the place of ${either}`);
  }

  #next(): void {
    TOKEN.lastIndex = this.#offset + this.#token.length;
    const [read = '', token = ''] = TOKEN.exec(this.#text) ?? [];
    this.#offset += this.#token.length + read.length - token.length;
    this.#token = token;
  }

  #found(): string {
    return this.#token === '' ? 'the end' : `'${this.#token}'`;
  }

  #fail(problem: string, offset = this.#offset): never {
    throw new SignatureError(this.#text, offset, problem);
  }
}
