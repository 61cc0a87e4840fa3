import type { Key } from 'node:readline';
import type { Interface } from 'node:readline/promises';
import type { WriteStream } from 'node:tty';

/** As many entries as are offered. */
export const MAX_HISTORY_ENTRIES = 1000;

const SEARCH_PROMPT = '(search) ';
/** A longer one is a pasted program: it is not coloured at each key. */
const MAX_COLOURED_LENGTH = 2000;

/** Saves and restores the place of the cursor, and clears what is behind it (VT100: DECSC, DECRC, ED). */
const SAVE_CURSOR = '\u001b7';
const RESTORE_CURSOR = '\u001b8';
const CLEAR_BEHIND = '\u001b[J';

export interface LineEditorOptions {
  /** What was entered before, newest first. */
  readonly history: readonly string[];
  /** The same text in colours, and of the same width. */
  readonly highlight: (text: string) => string;
  readonly dim: (text: string) => string;
}

/** The line that is typed, of which readline says that it is not to be changed: its documents say that it may be. */
interface TypedLine {
  line: string;
  cursor: number;
}

/**
 * What readline does not do for entries of several lines: their history, by ↑ and ↓, or searched by Ctrl-R; and colours. It
 * hears of each key after readline has. A line is coloured by writing over what readline has written.
 */
export class LineEditor {
  readonly #readline: Interface;
  readonly #output: WriteStream;
  readonly #options: LineEditorOptions;
  readonly #entries: string[];
  #prompt = '';
  /** Whether a line is being typed. */
  #isActive = false;
  #isPaintDue = false;
  /** Which entry is shown in place of what was typed; -1 for none. */
  #at = -1;
  /** What was typed, while an entry is shown or searched for. */
  #typed = '';
  /** What entries begin with that ↑ finds. */
  #prefix = '';
  /** Set while entries are searched; the line is what is searched for. */
  #search: { found: number } | undefined;

  constructor(readline: Interface, output: WriteStream, options: LineEditorOptions) {
    this.#readline = readline;
    this.#output = output;
    this.#options = options;
    this.#entries = [...options.history];
  }

  get isSearching(): boolean {
    return this.#search !== undefined;
  }

  /** A line is to be typed. */
  begin(prompt: string): void {
    this.#isActive = true;
    this.#prompt = prompt;
    this.#at = -1;
    this.#readline.setPrompt(prompt);
    this.#readline.prompt();
  }

  /** Keys belong to somebody else until the next `begin`. */
  suspend(): void {
    this.#isActive = false;
  }

  /** An entry that was made; of equal ones the newest is offered. */
  remember(entry: string): void {
    if (entry.trim() === '') return;
    const before = this.#entries.indexOf(entry);
    if (before >= 0) this.#entries.splice(before, 1);
    this.#entries.unshift(entry);
    this.#entries.length = Math.min(this.#entries.length, MAX_HISTORY_ENTRIES);
  }

  /** What Enter means: the line, or the entry that was found; undefined when none was, and typing goes on. */
  submitted(line: string): string | undefined {
    const search = this.#search;
    if (!search) return line;
    const entry = this.#entries[search.found];
    if (entry === undefined) {
      this.cancelSearch();
      return undefined;
    }
    this.#search = undefined;
    this.#output.write(`${this.#prompt}${this.#coloured(entry)}\n`);
    return entry;
  }

  /** What was typed before is the line again. @returns whether there was a search. */
  cancelSearch(): boolean {
    if (!this.#search) return false;
    this.#endSearch(this.#typed);
    return true;
  }

  /** A key that readline has heard of. */
  onKey({ name, ctrl }: Key): void {
    if (!this.#isActive) return;
    if (ctrl && (name === 'r' || name === 's')) this.#searchNext(name === 'r' ? 1 : -1);
    else if (this.#search) this.#searchKey(name, ctrl);
    else if (name === 'up' || (ctrl && name === 'p')) this.#older();
    else if (name === 'down' || (ctrl && name === 'n')) this.#newer();
    if (this.#isPaintDue) return;
    this.#isPaintDue = true;
    // Once for all keys that came together.
    setImmediate(() => {
      this.#isPaintDue = false;
      if (this.#isActive) this.#paint();
    });
  }

  #older(): void {
    if (this.#at < 0) {
      this.#typed = this.#readline.line;
      this.#prefix = this.#typed.slice(0, this.#readline.cursor);
    }
    const next = this.#entries.findIndex(
      (entry, index) => index > this.#at && entry.startsWith(this.#prefix),
    );
    if (next < 0) return;
    this.#at = next;
    this.#show(this.#entries[next] ?? '');
  }

  #newer(): void {
    if (this.#at < 0) return;
    this.#at = this.#entries.findLastIndex(
      (entry, index) => index < this.#at && entry.startsWith(this.#prefix),
    );
    this.#show(this.#at < 0 ? this.#typed : (this.#entries[this.#at] ?? ''));
  }

  #searchNext(step: 1 | -1): void {
    if (!this.#search) {
      this.#typed = this.#readline.line;
      this.#search = { found: -1 };
      this.#readline.setPrompt(SEARCH_PROMPT);
      return this.#show('');
    }
    const found = this.#find(this.#search.found + step, step);
    if (found >= 0) this.#search.found = found;
  }

  #searchKey(name: string | undefined, ctrl: boolean | undefined): void {
    const found = this.#search?.found ?? -1;
    if (ctrl && name === 'g') this.cancelSearch();
    else if (['escape', 'tab', 'up', 'down', 'left', 'right', 'home', 'end'].includes(name ?? ''))
      this.#endSearch(this.#entries[found] ?? this.#typed);
    else if (this.#search) this.#search.found = this.#find(0, 1);
  }

  /** The nearest entry from one on that has in it what is searched for; -1 for none. */
  #find(from: number, step: 1 | -1): number {
    const wanted = this.#readline.line;
    if (wanted === '') return -1;
    for (let index = from; index >= 0 && index < this.#entries.length; index += step)
      if (this.#entries[index]?.includes(wanted)) return index;
    return -1;
  }

  #endSearch(line: string): void {
    this.#search = undefined;
    this.#at = -1;
    this.#readline.setPrompt(this.#prompt);
    this.#show(line);
  }

  /** Has readline show a text, with the cursor at its end. */
  #show(text: string): void {
    const typed: TypedLine = this.#readline;
    // From the first row of the prompt on, whatever stood there.
    typed.line = text;
    typed.cursor = text.length;
    this.#readline.prompt(true);
  }

  #paint(): void {
    const { line } = this.#readline;
    if (this.#search) this.#paintFound(line, this.#entries[this.#search.found]);
    else this.#paintLine(line);
  }

  /** Behind what is searched for, as much of what was found as its row has room for. */
  #paintFound(wanted: string, found: string | undefined): void {
    const { rows, cols } = this.#readline.getCursorPos();
    if (rows > 0 || this.#readline.cursor < wanted.length) return;
    const words = found?.replaceAll(/\s*\n\s*/g, ' ⏎ ') ?? (wanted === '' ? '' : 'nothing');
    const room = this.#columns - cols - 5;
    if (room < 8) return;
    const shown = words.length > room ? `${words.slice(0, room - 1)}…` : words;
    this.#output.write(
      `${SAVE_CURSOR}${CLEAR_BEHIND}${this.#options.dim(shown && `  → ${shown}`)}${RESTORE_CURSOR}`,
    );
  }

  #paintLine(line: string): void {
    const coloured = this.#coloured(line);
    const columns = this.#columns;
    const rowCount = line.split('\n').reduce((sum, row) => sum + 1 + Math.floor(row.length / columns), 1);
    // What has left the screen above cannot be written over.
    if (coloured === line || rowCount >= (this.#output.rows || Number.POSITIVE_INFINITY)) return;
    const { rows } = this.#readline.getCursorPos();
    const up = rows > 0 ? `\u001b[${rows}A` : '';
    this.#output.write(`${SAVE_CURSOR}${up}\r\u001b[${this.#prompt.length}C${coloured}${RESTORE_CURSOR}`);
  }

  /** Some terminals do not say how wide they are; readline takes them for endless then. */
  get #columns(): number {
    return this.#output.columns || Number.POSITIVE_INFINITY;
  }

  #coloured(line: string): string {
    return line.length > MAX_COLOURED_LENGTH ? line : this.#options.highlight(line);
  }
}
