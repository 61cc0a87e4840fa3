import { appendFileSync, chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

/** As many lines as the REPL offers. */
export const MAX_HISTORY_LINES = 1000;
/** A longer line is a pasted program, not something to type again. */
const MAX_LINE_LENGTH = 4096;
/** The file is cut back to the newest lines when it is larger than this. */
const MAX_HISTORY_BYTES = 256 * 1024;
/** Only the owner reads what was typed. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** `$XDG_STATE_HOME/farjit/history`, by default under `~/.local/state`. A relative path is no base, says XDG. */
export function historyPath(env = process.env): string {
  const configured = env.XDG_STATE_HOME;
  const base = configured && isAbsolute(configured) ? configured : join(homedir(), '.local', 'state');
  return join(base, 'farjit', 'history');
}

/**
 * The lines typed in earlier sessions, in a file with the newest last. Each line is appended when it is entered, so
 * none is lost however the session ends, and sessions side by side keep each other's. A file that cannot be read or
 * written costs the history and nothing else.
 */
export class History {
  readonly #path: string;
  #sizeBytes = 0;
  #isWritable = true;

  constructor(path: string) {
    this.#path = path;
  }

  /** The newest lines, newest first: readline's order. */
  load(): string[] {
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: FOLDER_MODE });
      const text = readFileSync(this.#path, 'utf8');
      chmodSync(this.#path, FILE_MODE);
      this.#sizeBytes = Buffer.byteLength(text);
      const lines = newestLines(text);
      if (this.#sizeBytes > MAX_HISTORY_BYTES) this.#rewrite(lines);
      return lines.reverse();
    } catch (error) {
      this.#isWritable = (error as NodeJS.ErrnoException).code === 'ENOENT';
      return [];
    }
  }

  /** Remembers a line that was entered. */
  add(line: string): void {
    if (!this.#isWritable || !isWorthKeeping(line)) return;
    try {
      appendFileSync(this.#path, `${line}\n`, { mode: FILE_MODE });
      this.#sizeBytes += Buffer.byteLength(line) + 1;
      if (this.#sizeBytes > MAX_HISTORY_BYTES) this.#rewrite(newestLines(readFileSync(this.#path, 'utf8')));
    } catch {
      this.#isWritable = false;
    }
  }

  /** Half the bound is left free, so that not every line rewrites the file. */
  #rewrite(lines: readonly string[]): void {
    let kept = lines.join('\n');
    if (kept.length > MAX_HISTORY_BYTES / 2) {
      kept = kept.slice(-MAX_HISTORY_BYTES / 2);
      kept = kept.slice(kept.indexOf('\n') + 1);
    }
    const replacement = `${this.#path}.${process.pid}`;
    writeFileSync(replacement, `${kept}\n`, { mode: FILE_MODE });
    renameSync(replacement, this.#path);
    this.#sizeBytes = Buffer.byteLength(kept) + 1;
  }
}

/** Oldest first. */
function newestLines(text: string): string[] {
  return text.split('\n').filter(isWorthKeeping).slice(-MAX_HISTORY_LINES);
}

/** Control characters would drive the terminal when the line is recalled. */
function isWorthKeeping(line: string): boolean {
  return (
    line.trim() !== '' && line.length <= MAX_LINE_LENGTH && !/[\u0000-\u0008\u000a-\u001f\u007f]/.test(line)
  );
}
