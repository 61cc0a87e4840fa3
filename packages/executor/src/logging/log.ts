import { once } from 'node:events';
import { printable } from '@farjit/protocol/printable';
import { pino } from 'pino';
import type { LogFormat, LogLevel } from './log-options.js';

/** Every kind of line there is, and how much it matters. `docs/observability.md` says when each is written. */
export const LOG_EVENTS = {
  listening: 'info',
  'metrics-listening': 'info',
  'token-made-up': 'warn',
  warning: 'warn',
  'session-opened': 'info',
  'session-closed': 'info',
  'session-lost': 'info',
  'session-resumed': 'info',
  'session-refused': 'warn',
  'runner-started': 'debug',
  'runner-failed': 'error',
  'internal-fault': 'error',
  'runner-ended': 'info',
  trap: 'warn',
  'limit-reached': 'warn',
  reloaded: 'info',
  'reload-failed': 'error',
  draining: 'info',
  'drain-progress': 'info',
  drained: 'info',
  stopping: 'info',
  failed: 'error',
} as const satisfies Readonly<Record<string, Exclude<LogLevel, 'silent'>>>;
export type LogEvent = keyof typeof LOG_EVENTS;

/** What a line says besides its words; texts are escaped. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Nothing of the kind is ever given to a log; should it be, it does not come out. */
const SECRETS = ['token', 'secret', 'authorization', 'password', 'key', 'cookie'];

/** Bytes that wait while whoever reads the log does not: what comes then is dropped, and sessions go on. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** How long the last lines may take. */
const MAX_CLOSING_MS = 1000;

/** Where lines go. */
export interface LogSink {
  write(line: string): void;
}

/** What a host says: one line each, as JSON or in words. */
export class Log {
  readonly #pino: pino.Logger;
  readonly #standardError: StandardError | undefined;
  readonly #confide: ((line: string) => void) | undefined;

  /** @param sink default: standard error. */
  constructor(options: { readonly level: LogLevel; readonly format: LogFormat; readonly sink?: LogSink }) {
    const { level, format } = options;
    const sink = options.sink ?? new StandardError();
    this.#standardError = sink instanceof StandardError ? sink : undefined;
    this.#confide = format === 'pretty' ? (line) => sink.write(line) : undefined;
    this.#pino = pino(
      {
        level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        redact: { paths: SECRETS, censor: '[redacted]' },
      },
      format === 'json' ? sink : new Words(sink),
    );
  }

  /** @param words may quote what is not ours to choose: what could drive a terminal is escaped. */
  write(event: LogEvent, words: string, fields: LogFields = {}): void {
    const escaped = Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' ? printable(value) : value,
    ]);
    this.#pino[LOG_EVENTS[event]]({ event, ...Object.fromEntries(escaped) }, printable(words));
  }

  /**
   * Says something that is for a person at a terminal and no log may have: a token that was made up.
   * @returns false where there is none.
   */
  confide(words: string): boolean {
    this.#confide?.(`farjit-executor: ${words}\n`);
    return this.#confide !== undefined;
  }

  /** Resolves when what waits has been written, or nobody reads it. Nothing may be written any more. */
  async close(): Promise<void> {
    await this.#standardError?.close();
  }
}

/** Lines go out together after the turn of the event loop that they are of: whoever is served in it does not wait for them. */
class StandardError implements LogSink {
  readonly #destination = pino.destination({
    dest: process.stderr.fd,
    sync: false,
    maxLength: MAX_WAITING_BYTES,
  });
  #lines = '';

  constructor() {
    // Whoever read it is gone, or its disk is full: sessions go on without.
    this.#destination.on('error', () => {});
  }

  write(line: string): void {
    if (this.#lines === '') setImmediate(() => this.#flush());
    this.#lines += line;
  }

  async close(): Promise<void> {
    this.#flush();
    const written = once(this.#destination, 'close', { signal: AbortSignal.timeout(MAX_CLOSING_MS) });
    this.#destination.end();
    await written.catch(() => {});
  }

  #flush(): void {
    if (this.#lines !== '') this.#destination.write(this.#lines);
    this.#lines = '';
  }
}

/** Pino tells a stream with this mark what was said before it writes the line. */
const METADATA: unique symbol = Symbol.for('pino.metadata');

/** Lines for people. */
class Words {
  readonly [METADATA] = true;
  readonly #sink: LogSink;
  lastMsg = '';
  lastLevel = 0;

  constructor(sink: LogSink) {
    this.#sink = sink;
  }

  write(): void {
    const { warn = 0, error = 0 } = pino.levels.values;
    const level = this.lastLevel >= error ? 'error: ' : this.lastLevel === warn ? 'warning: ' : '';
    this.#sink.write(`farjit-executor: ${level}${this.lastMsg}\n`);
  }
}
