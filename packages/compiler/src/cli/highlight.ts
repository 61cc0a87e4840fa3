import { KEYWORDS, Lexer } from '../frontends/kaleidoscope/lexer.js';
import { SourceText } from '../frontends/kaleidoscope/source-text.js';
import type { Colors } from './colors.js';

const IS_KEYWORD: ReadonlySet<string> = new Set(KEYWORDS);

/** A text of Kaleidoscope, or a command of the REPL, in colours: the same characters, and what colours them. */
export function highlighted(text: string, colors: Colors): string {
  if (text.startsWith(':')) return text.replace(/^:\S*/, (command) => colors.bold(command));
  const lexer = new Lexer(new SourceText('', text));
  let shown = '';
  let end = 0;
  for (let token = lexer.next(); token.kind !== 'end'; token = lexer.next()) {
    shown += between(text.slice(end, token.start), colors);
    const word = text.slice(token.start, token.end);
    if (IS_KEYWORD.has(token.kind)) shown += colors.blue(word);
    else if (token.kind === 'number') shown += colors.yellow(word);
    else if (token.kind === 'invalid') shown += colors.red(word);
    else shown += word;
    end = token.end;
  }
  return shown + between(text.slice(end), colors);
}

/** White space and comments. */
function between(text: string, colors: Colors): string {
  return text.replaceAll(/#[^\r\n]*/g, (comment) => colors.dim(comment));
}
