import type { Key } from 'node:readline';
import { createInterface, type Interface } from 'node:readline/promises';
import type { ReadStream } from 'node:tty';
import type { Colors } from './colors.js';
import { highlighted } from './highlight.js';
import type { History } from './history.js';
import { LineEditor } from './line-editor.js';

/**
 * As what Ctrl-D is read that was typed while the terminal was in its ordinary mode: Linux keeps it as the end of a
 * line that has no character of its own (`__DISABLED_CHAR` in drivers/tty/n_tty.c).
 */
const END_TYPED_AHEAD = '\0';

/** What came from the user: a line without its end, Ctrl-C at the prompt, or the end of the input. */
export type LineEvent =
  | { readonly kind: 'line'; readonly text: string }
  /** `wasEmpty`: nothing had been typed on the line. */
  | { readonly kind: 'interrupt'; readonly wasEmpty: boolean }
  | { readonly kind: 'end' };

export interface LineReaderOptions {
  /** With line editing, prompts, history, colours and completion; otherwise plain lines, as from a pipe. */
  readonly terminal?: {
    readonly history: History;
    readonly colors: Colors;
    /** Completions of what stands left of the cursor, and the part of it they complete. */
    readonly complete: (line: string) => [string[], string];
  };
}

/**
 * Standard input, line by line. Between two `next` the input is not read, and a terminal is in its ordinary mode, so
 * that Ctrl-C is a signal and what is typed ahead waits in the terminal.
 */
export class LineReader {
  readonly #readline: Interface;
  readonly #history: History | undefined;
  /** Of a terminal. */
  readonly #editor: LineEditor | undefined;
  /** Lines that came in one piece with the last one. */
  readonly #queue: LineEvent[] = [];
  #take: ((event: LineEvent) => void) | undefined;
  /** Whether what is read may have been typed before the prompt. */
  #isTypedAhead = false;

  constructor({ terminal }: LineReaderOptions) {
    this.#history = terminal?.history;
    this.#readline = createInterface({
      input: process.stdin,
      ...(terminal && {
        output: process.stdout,
        historySize: 0,
        completer: (line: string): [string[], string] =>
          this.#editor?.isSearching ? [[], ''] : terminal.complete(line),
      }),
      terminal: terminal !== undefined,
    });
    this.#editor =
      terminal &&
      new LineEditor(this.#readline, process.stdout, {
        history: terminal.history.load(),
        highlight: (text) => (terminal.colors.isColorSupported ? highlighted(text, terminal.colors) : text),
        dim: terminal.colors.dim,
      });
    this.#readline.on('line', (line) => {
      const text = this.#take && this.#editor ? this.#editor.submitted(line) : line;
      if (text === undefined) return;
      this.#deliver({ kind: 'line', text });
    });
    if (terminal)
      process.stdin.on('keypress', (_, key: Key) => {
        if (key.sequence === END_TYPED_AHEAD && this.#isTypedAhead && this.#readline.line === '')
          this.#readline.close();
        else this.#editor?.onKey(key);
      });
    this.#readline.on('SIGINT', () => this.#interrupt());
    this.#readline.on('close', () => this.#deliver({ kind: 'end' }));
    this.#suspend();
  }

  /** The next line. After the end it is the end again and again. */
  async next(prompt: string): Promise<LineEvent> {
    const queued = this.#queue[0];
    if (queued) {
      if (queued.kind !== 'end') this.#queue.shift();
      return queued;
    }
    const event = new Promise<LineEvent>((resolve) => {
      this.#take = resolve;
    });
    this.#resume(prompt);
    return event;
  }

  /** Keeps an entry, of one line or more, for the history. */
  remember(entry: string): void {
    this.#editor?.remember(entry);
    this.#history?.add(entry);
  }

  /** Whether `next` has a line to give at once. */
  get hasLine(): boolean {
    return this.#queue[0]?.kind === 'line';
  }

  /** Ends the input: a `next` that waits, and every later one, returns the end. */
  close(): void {
    this.#readline.close();
    // A pipe whose other end stays open must not keep the process alive.
    process.stdin.unref?.();
  }

  #deliver(event: LineEvent): void {
    const take = this.#take;
    this.#take = undefined;
    if (take) {
      if (event.kind === 'end') this.#queue.push(event);
      else this.#suspend();
      take(event);
    } else this.#queue.push(event);
  }

  #interrupt(): void {
    this.#editor?.cancelSearch();
    const wasEmpty = this.#readline.line === '';
    this.#readline.write(null, { ctrl: true, name: 'e' });
    process.stdout.write('^C\n');
    this.#readline.write(null, { ctrl: true, name: 'u' });
    process.stdout.write('\r');
    this.#deliver({ kind: 'interrupt', wasEmpty });
  }

  #suspend(): void {
    this.#readline.pause();
    if (!this.#editor) return;
    this.#editor.suspend();
    terminalInput().setRawMode(false);
  }

  #resume(prompt: string): void {
    this.#readline.resume();
    if (!this.#editor) return;
    this.#isTypedAhead = true;
    // What waits in the terminal is read in the next round of the event loop. From then on it is the key Ctrl-Space.
    setImmediate(() =>
      setImmediate(() => {
        this.#isTypedAhead = false;
      }),
    );
    terminalInput().setRawMode(true);
    this.#editor.begin(prompt);
  }
}

function terminalInput(): ReadStream {
  return process.stdin;
}
