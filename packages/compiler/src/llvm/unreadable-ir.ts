import { BitcodeError, IRSyntaxError } from './errors.js';
import type { ModuleIR } from './module-ir.js';

/** What LLVM adds to an error about bitcode. */
const VERSIONS = /\s*\(Producer: '[^']*?(\d+)[^']*' Reader: '[^']*'\)/;
/** What clang leaves in LLVM assembly: `!{!"Debian clang version 22.1.8"}`. */
const CLANG_VERSION = /^!\d+ = !\{!"[^"]*clang version (\d+)/m;
/** Of a text, from its end: that is where clang leaves it. */
const LOOKED_THROUGH_BYTES = 65_536;
/** The first libLLVM that reads `ptr` unasked. */
const FIRST_OPAQUE = 15;

/** IR that no LLVM reads, or not this one. */
interface Unreadable {
  readonly name: string;
  readonly ir: ModuleIR;
}

/** What `findBitstreamDamage` has found. */
export function damagedBitcode(name: string, damage: string): BitcodeError {
  return new BitcodeError(name, `Module ${name} is not bitcode: ${damage}.`);
}

/**
 * Why LLVM could not read a module.
 * @param llvmVersion of the libLLVM that tried.
 * @param reason its words.
 */
export function unreadableIR(
  { name, ir }: Unreadable,
  llvmVersion: string,
  reason: string,
): BitcodeError | IRSyntaxError {
  const version = Number.parseInt(llvmVersion, 10);
  if (ir.form === 'assembly') return syntaxError(name, ir.bytes, version, reason);
  const producer = Number(VERSIONS.exec(reason)?.[1] ?? 0);
  const words = reason.replace(VERSIONS, '').trim();
  return new BitcodeError(
    name,
    producer > version
      ? `Module ${name} was made by LLVM ${producer}, and this libLLVM is ${version}, which does not read it (${words}): ` +
          `make it with LLVM ${version} or older, or set FARJIT_LIBLLVM to a libLLVM ${producer}`
      : `Module ${name} is not bitcode that libLLVM ${llvmVersion} reads: ${words}`,
  );
}

/** LLVM's words are `NAME:LINE:COLUMN: error: WORDS`, the line and a caret. */
function syntaxError(name: string, text: Uint8Array, version: number, reason: string): IRSyntaxError {
  const words = reason.trim();
  const isNamed = words.startsWith(`${name}:`);
  const place = isNamed ? /^(\d+):(\d+): /.exec(words.slice(name.length + 1)) : null;
  const advice = adviceFor(text, version, words);
  const message = `${isNamed ? words : `${name}: ${words}`}${advice === undefined ? '' : `\n${advice}`}`;
  return place
    ? new IRSyntaxError(name, message, { line: Number(place[1]), column: Number(place[2]) })
    : new IRSyntaxError(name, message);
}

/** Where the reason may be that another LLVM has made the text. */
function adviceFor(text: Uint8Array, version: number, words: string): string | undefined {
  const end = Buffer.from(text.buffer, text.byteOffset, text.byteLength).subarray(-LOOKED_THROUGH_BYTES);
  const producer = Number(CLANG_VERSION.exec(end.toString('latin1'))?.[1] ?? 0);
  if (producer > version)
    return `It was made by LLVM ${producer}, and this libLLVM is ${version}: set FARJIT_LIBLLVM to a libLLVM ${producer}.`;
  const [, line = '', caret = ''] = words.split('\n');
  const isAtPointer = /^ptr\b/.test(line.slice(caret.indexOf('^')));
  return isAtPointer && version < FIRST_OPAQUE
    ? `This libLLVM is ${version}; \`ptr\` is read by LLVM ${FIRST_OPAQUE} and later.`
    : undefined;
}
