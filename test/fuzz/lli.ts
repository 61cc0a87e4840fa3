import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FunctionAST } from '#compiler/src/frontends/kaleidoscope/ast.js';
import type { TopLevelItem } from '#compiler/src/frontends/kaleidoscope/parser.js';
import { generate } from '#compiler/test/frontends/kaleidoscope/generate.js';
import { bitcodeOf } from '#compiler/test/ir/module-of.js';
import type { Behaviour } from './reference-interpreter.js';

const TIMEOUT_MS = 60_000;
const DIRECTORIES = ['/usr/lib/llvm-22/bin', '/usr/lib/llvm-14/bin'];

/** Every `lli` of an LLVM that is supported, newest first. */
export function findLLI(): string[] {
  return DIRECTORIES.map((directory) => join(directory, 'lli')).filter(existsSync);
}

/**
 * What a program does when LLVM's own `lli` runs it, which shares neither linker nor stubs nor executor with us: all of it
 * is one module, and a function calls another without a detour.
 */
export async function runWithLLI(lli: string, items: readonly TopLevelItem[]): Promise<Behaviour> {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-lli-'));
  try {
    const expressions = items.flatMap((item) => (item.kind === 'expression' ? [item.function] : []));
    const program = join(directory, 'program.bc');
    const main = join(directory, 'main.ll');
    writeFileSync(program, await programOf(items, expressions));
    writeFileSync(main, mainOf(expressions.length));
    const { stdout, stderr, status, signal } = spawnSync(lli, [`--extra-module=${program}`, main], {
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
    });
    if (status !== 0) throw new Error(`${lli} ended with ${signal ?? status}: ${stderr}`);
    return behaviourOf(stdout);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function programOf(items: readonly TopLevelItem[], expressions: readonly FunctionAST[]): Promise<Uint8Array> {
  const definitions = new Map<string, FunctionAST>();
  const prototypes = new Map(
    items.flatMap((item) =>
      item.kind === 'expression'
        ? []
        : [item.kind === 'definition' ? item.function.prototype : item.prototype].map((p) => [p.name, p]),
    ),
  );
  for (const item of items)
    if (item.kind === 'definition') definitions.set(item.function.prototype.name, item.function);
  const ir = generate(
    [
      ...[...definitions].map(([implementationName, fn]) => ({ function: fn, implementationName })),
      ...expressions.map((fn, i) => ({ function: fn, implementationName: `expression${i}` })),
    ],
    (name) => prototypes.get(name),
  );
  return bitcodeOf(ir);
}

/** Prints the bits of each value in hexadecimal after a letter. Without a pointer in it, every LLVM reads the text. */
function mainOf(expressionCount: number): string {
  const indices = Array.from({ length: expressionCount }, (_, i) => i);
  return `
declare i32 @putchar(i32)
${indices.map((i) => `declare double @expression${i}()`).join('\n')}
define void @print(i32 %letter, double %value) {
entry:
  %bits = bitcast double %value to i64
  %ignored = call i32 @putchar(i32 %letter)
  br label %next
next:
  %shift = phi i64 [ 60, %entry ], [ %less, %next ]
  %shifted = lshr i64 %bits, %shift
  %nibble64 = and i64 %shifted, 15
  %nibble = trunc i64 %nibble64 to i32
  %character = add i32 %nibble, 97
  %ignored1 = call i32 @putchar(i32 %character)
  %less = sub i64 %shift, 4
  %more = icmp sge i64 %less, 0
  br i1 %more, label %next, label %done
done:
  %ignored2 = call i32 @putchar(i32 10)
  ret void
}
define double @printd(double %value) {
  call void @print(i32 80, double %value)
  ret double 0.0
}
define i32 @main() {
${indices.map((i) => `  %v${i} = call double @expression${i}()\n  call void @print(i32 86, double %v${i})`).join('\n')}
  ret i32 0
}
`;
}

function behaviourOf(text: string): Behaviour {
  const values: number[] = [];
  const printed: number[] = [];
  for (const [, letter, nibbles = ''] of text.matchAll(/^([PV])([a-p]{16})$/gm)) {
    const hex = nibbles.replace(/./g, (letter) => (letter.charCodeAt(0) - 97).toString(16));
    (letter === 'V' ? values : printed).push(Buffer.from(hex, 'hex').readDoubleBE());
  }
  return { values, printed };
}
