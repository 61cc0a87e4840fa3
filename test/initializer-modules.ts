/** A module with functions of `@trace`, which prints a letter, and lists of some of them. */
export function moduleOf(letters: string, lists: string, more = ''): string {
  const functions = [...letters].map(
    (letter) => `define void @${letter}() { call i32 @putchar(i32 ${letter.charCodeAt(0)}) ret void }`,
  );
  return `declare i32 @putchar(i32)\n${functions.join('\n')}\n${lists}\n${more}`;
}

/** What runs at the start or the end, as LLVM has it. */
export function list(
  kind: 'ctors' | 'dtors',
  entries: readonly (readonly [priority: number, name: string])[],
): string {
  const type = '{ i32, void ()*, i8* }';
  const values = entries.map(
    ([priority, name]) => `${type} { i32 ${priority}, void ()* @${name}, i8* null }`,
  );
  return `@llvm.global_${kind} = appending global [${entries.length} x ${type}] [${values.join(', ')}]`;
}

/** Of C++ that the tests compile. */
export const CXX_FLAGS = [
  '-O1',
  '-fPIC',
  '-fno-exceptions',
  '-fno-threadsafe-statics',
  '-ffunction-sections',
];

/** A module one of whose constructors traps. */
export const TRAPS = `${moduleOf(
  'ab',
  list('ctors', [
    [1, 'a'],
    [2, 'fall'],
    [3, 'b'],
  ]),
)}
@ready = global i32 0
declare void @llvm.trap()
define void @fall() {
  %r = load i32, i32* @ready
  %is = icmp ne i32 %r, 0
  br i1 %is, label %good, label %bad
good:
  ret void
bad:
  call void @llvm.trap()
  unreachable
}`;
