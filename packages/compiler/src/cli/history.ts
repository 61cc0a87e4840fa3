import { closeSync, constants, fchmodSync, fstatSync, readSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { NotPrivateError, PrivateDirectory } from '../files/private-directory.js';
import { MAX_HISTORY_ENTRIES } from './line-editor.js';

/** A longer entry is a pasted program, not something to type again. */
const MAX_ENTRY_LENGTH = 4096;
/** The file is cut back to the newest lines when it is larger than this. */
const MAX_HISTORY_BYTES = 256 * 1024;
/** What is read of a file that somebody else has let grow: its end. */
const MAX_READ_BYTES = 2 * MAX_HISTORY_BYTES;
/** Only the owner reads what was typed. */
const FILE_MODE = 0o600;

/** `$XDG_STATE_HOME/farjit/history`, by default under `~/.local/state`. A relative path is no base, says XDG. */
export function historyPath(env = process.env): string {
  const configured = env.XDG_STATE_HOME;
  const base = configured && isAbsolute(configured) ? configured : join(homedir(), '.local', 'state');
  return join(base, 'farjit', 'history');
}

/**
 * What was entered in earlier sessions, in a file with the newest last, an entry a line: within one, `\n` stands for the
 * end of a line, and `\\` for a backslash. Each entry is appended when it is made, so
 * none is lost however the session ends, and sessions side by side keep each other's. A file that cannot be read or
 * written costs the history and nothing else; nor is it used when others could have a hand in it.
 */
export class History {
  readonly #path: string;
  #sizeBytes = 0;
  #isWritable = true;
  #problem: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Why there is none, in words, when others could have changed it or would be told where to write. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** The newest entries, newest first. */
  load(): string[] {
    const lines = this.#attempt((directory, name) => {
      const text = readPrivately(directory, name);
      this.#sizeBytes = Buffer.byteLength(text);
      const newest = newestLines(text);
      if (this.#sizeBytes > MAX_HISTORY_BYTES) this.#rewrite(directory, name, newest);
      return newest.reverse().map(decoded);
    });
    return lines ?? [];
  }

  /** Remembers what was entered. */
  add(entry: string): void {
    const line = encoded(entry);
    if (!this.#isWritable || !isWorthKeeping(line)) return;
    this.#attempt((directory, name) => {
      append(directory, name, `${line}\n`);
      this.#sizeBytes += Buffer.byteLength(line) + 1;
      if (this.#sizeBytes > MAX_HISTORY_BYTES)
        this.#rewrite(directory, name, newestLines(readPrivately(directory, name)));
    });
  }

  /** Runs `work` on the file's directory; when that fails, the history is not written any more. */
  #attempt<T>(work: (directory: PrivateDirectory, name: string) => T): T | undefined {
    let directory: PrivateDirectory | undefined;
    try {
      directory = PrivateDirectory.open(dirname(this.#path));
      return work(directory, basename(this.#path));
    } catch (error) {
      // Whoever has none yet may begin one.
      this.#isWritable = (error as NodeJS.ErrnoException).code === 'ENOENT' && directory !== undefined;
      if (error instanceof NotPrivateError) this.#problem = error.message;
      return undefined;
    } finally {
      directory?.close();
    }
  }

  /** Half the bound is left free, so that not every line rewrites the file. */
  #rewrite(directory: PrivateDirectory, name: string, lines: readonly string[]): void {
    let kept = lines.join('\n');
    if (kept.length > MAX_HISTORY_BYTES / 2) {
      kept = kept.slice(-MAX_HISTORY_BYTES / 2);
      kept = kept.slice(kept.indexOf('\n') + 1);
    }
    directory.replaceFile(name, `${kept}\n`);
    this.#sizeBytes = Buffer.byteLength(kept) + 1;
  }
}

/** Closes it to others who could read it. @returns as much of its end as is read. */
function readPrivately(directory: PrivateDirectory, name: string): string {
  const fd = directory.openFile(name, constants.O_RDONLY);
  try {
    fchmodSync(fd, FILE_MODE);
    const { size } = fstatSync(fd);
    const end = Buffer.alloc(Math.min(size, MAX_READ_BYTES));
    const count = readSync(fd, end, 0, end.length, size - end.length);
    return end.toString('utf8', 0, count);
  } finally {
    closeSync(fd);
  }
}

function append(directory: PrivateDirectory, name: string, text: string): void {
  const fd = directory.openFile(name, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT);
  try {
    writeSync(fd, text);
  } finally {
    closeSync(fd);
  }
}

function encoded(entry: string): string {
  return entry.replaceAll(/[\\\n]/g, (character) => (character === '\n' ? '\\n' : '\\\\'));
}

function decoded(line: string): string {
  return line.replaceAll(/\\([\\n])/g, (_, character) => (character === 'n' ? '\n' : '\\'));
}

/** Oldest first. */
function newestLines(text: string): string[] {
  return text.split('\n').filter(isWorthKeeping).slice(-MAX_HISTORY_ENTRIES);
}

/** Control characters would drive the terminal when the line is recalled. */
function isWorthKeeping(line: string): boolean {
  return (
    line.trim() !== '' && line.length <= MAX_ENTRY_LENGTH && !/[\u0000-\u0008\u000a-\u001f\u007f]/.test(line)
  );
}
