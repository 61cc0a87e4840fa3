import { Lexer, MAX_NAME_LENGTH, type Token } from '#compiler/src/frontends/kaleidoscope/lexer.js';
import { SourceText } from '#compiler/src/frontends/kaleidoscope/source-text.js';
import type { Random } from '../random.js';
import { type FuzzTarget, must, type TargetFactory } from '../target.js';
import { mustBePrintable } from './decoder.js';
import { SourceInputs } from './source-inputs.js';

/** The lexer: bytes to tokens. */
export const lexer: TargetFactory = {
  name: 'lexer',
  longInputs: 1_000_000,
  shortInputs: 3000,
  create: ({ planted = false } = {}) => new LexerTarget(planted),
};

class LexerTarget implements FuzzTarget {
  readonly name = 'lexer';
  readonly stages = ['not UTF-8', 'has invalid tokens', 'all tokens valid'];
  readonly #inputs = new SourceInputs();
  readonly #isPlanted: boolean;

  constructor(isPlanted: boolean) {
    this.#isPlanted = isPlanted;
  }

  generate(random: Random): Uint8Array {
    return this.#inputs.make(random);
  }

  run(input: Uint8Array): string {
    const source = SourceText.fromBytes('fuzz.ks', input);
    const reader = new Lexer(source);
    let stage = source.text.includes('\ufffd') ? 'not UTF-8' : 'all tokens valid';
    let end = 0;
    // Every token but the last takes at least a character.
    for (let left = source.text.length + 1; ; left--) {
      must(left > 0, () => 'there are more tokens than characters');
      const token = this.#isPlanted ? trustingly(reader.next()) : reader.next();
      mustBeSound(token, source, end);
      if (token.kind === 'end') return stage;
      if (token.kind === 'invalid' && stage !== 'not UTF-8') stage = 'has invalid tokens';
      end = token.end;
    }
  }
}

function mustBeSound(token: Token, source: SourceText, previousEnd: number): void {
  const { kind, text, start, end } = token;
  must(
    start >= previousEnd && end >= start && end <= source.text.length,
    () => `a token from ${start} to ${end}`,
  );
  must(
    text === source.text.slice(start, end),
    () => `the text of the token at ${start} is not what stands there`,
  );
  must((kind === 'end') === (start === end), () => `an empty ${kind} token at ${start}`);
  if (kind === 'number') must(Number.isFinite(token.value), () => `a number of value ${token.value}`);
  if (kind === 'identifier')
    must(text.length <= MAX_NAME_LENGTH, () => `a name of ${text.length} characters`);
  if (kind === 'invalid') mustBePrintable(token.message);
  const { line, column } = source.positionAt(start);
  must(line >= 1 && column >= 1, () => `a position ${line}:${column}`);
}

/** The planted bug: what looks like a number is taken for one, as strtod would not. */
function trustingly(token: Token): Token {
  if (token.kind !== 'invalid' || !/^[0-9.]+$/.test(token.text)) return token;
  const { text, start, end } = token;
  return { kind: 'number', value: Number(text), text, start, end };
}
