import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { quoted } from '@farjit/protocol/printable';

/** What Node makes of bytes that are not UTF-8. */
const REPLACEMENT = '\ufffd';

/**
 * The last arguments of the command as they were given: texts, but for those that are not UTF-8, which Node has changed.
 * @param args as Node has them.
 */
export function argumentBytes(args: readonly string[]): readonly (string | Uint8Array)[] {
  if (!args.some((arg) => arg.includes(REPLACEMENT))) return args;
  const given = entriesOf('/proc/self/cmdline').slice(-args.length);
  return args.map((arg, index) => {
    const bytes = given[index];
    return bytes && !isUtf8(bytes) && bytes.toString() === arg ? bytes : arg;
  });
}

/** The text of an argument that has to be one. @param refuse ends the command over its arguments. */
export function textOf(argument: string | Uint8Array, refuse: (words: string) => never): string {
  if (typeof argument === 'string') return argument;
  return refuse(
    `argument ${quoted(Buffer.from(argument).toString())} is not UTF-8, as names and options have to be`,
  );
}

/** Whether a variable of the command's environment has another value than Node has. */
export function isVariableChanged(name: string): boolean {
  if (!process.env[name]?.includes(REPLACEMENT)) return false;
  const start = Buffer.from(`${name}=`);
  const entry = entriesOf('/proc/self/environ').find((bytes) => bytes.indexOf(start) === 0);
  return entry !== undefined && !isUtf8(entry);
}

/** What the kernel has of a list of strings, each of which a NUL ends. */
function entriesOf(file: string): Buffer[] {
  // One character for each byte, and back.
  const content = readFileSync(file, 'latin1');
  return content
    .split('\0')
    .slice(0, -1)
    .map((entry) => Buffer.from(entry, 'latin1'));
}
