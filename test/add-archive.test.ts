import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { LinkError } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { assemble } from '#compiler/test/llvm/assemble.js';
import { openJIT } from './jit-fixture.js';

const INT = { result: 'i32', parameters: ['i32'] } as const;
const object = (source: string) => compile(source, ['-O1', '-fPIC']);
const FILES = {
  'one.o': object('int two(int); int one(int x) { return two(x) + 1; }'),
  'sub/two.o': object(
    'int state = 2; int two(int x) { return x * state; } int also_two(int x) { return x; }',
  ),
  'three.bc': assemble('define i32 @three(i32 %x) {\n  %y = mul i32 %x, 3\n  ret i32 %y\n}'),
  'abs.o': object('int abs(int x) { return x < 0 ? -x : x; } int here(int x) { return abs(x) + 100; }'),
  'init.o': object(
    'int n; __attribute__((constructor)) void first(void) { n = 4; } int four(int x) { return x + n; }',
  ),
};

/** An archive, and the directory that it was made in. */
function archiveOf(
  t: ExecutionContext,
  ar: string,
  ...flags: string[]
): { directory: string; content: Buffer } {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-archive-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  for (const [name, content] of Object.entries(FILES)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
  execFileSync(ar, [...flags, 'lib.a', ...Object.keys(FILES)], { cwd: directory, stdio: 'pipe' });
  return { directory, content: readFileSync(join(directory, 'lib.a')) };
}

for (const [what, ar, flags] of [
  ['with an index that leaves bitcode out', 'ar', 'rcs'],
  ['with a whole index', 'llvm-ar', 'rcs'],
  ['without an index', 'ar', 'rcS'],
  ['with its members elsewhere', 'ar', 'rcsT'],
] as const)
  test(`members of an archive are added when a name of theirs is needed: ${what}`, async (t) => {
    const { jit } = await openJIT(t);
    const { directory, content } = archiveOf(t, ar, flags);
    await jit.addArchive(content, { name: 'lib.a', directory });
    t.deepEqual(jit.definedNames(), []);
    t.is(await (await jit.lookup('one', INT))(20), 41);
    t.deepEqual(jit.definedNames().sort(), ['also_two', 'one', 'state', 'two']);
    await jit.addObject(object('int three(int); int six(int x) { return 2 * three(x); }'));
    t.is(await (await jit.lookup('six', INT))(2), 12);
    // Before the process's own.
    t.is(await (await jit.lookup('here', INT))(-4), 104);
    // One that has to be initialised is added first.
    for (let attempt = 0; attempt < 2; attempt++)
      await t.throwsAsync(jit.lookup('four', INT), {
        code: 'INITIALIZERS_DUE',
        message: /^initialisers of lib\.a\(init\.o\) have not run/,
      });
    await jit.initialize();
    t.is(await (await jit.lookup('four', INT))(3), 7);
    t.is(await jit.findSymbol('five'), undefined);
  });

test('what is defined comes before an archive, and a member for several names is added once', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(object('int two(int x) { return 7; }'), { name: 'mine.o' });
  await jit.addArchive(archiveOf(t, 'ar', 'rcs').content, { name: 'lib.a' });
  t.is(await (await jit.lookup('one', INT))(1), 8);
  // Its member defines `two` as well, as a linker would say.
  await t.throwsAsync(jit.lookup('also_two', INT), {
    instanceOf: LinkError,
    message: /^lib\.a\(sub\/two\.o\)|^lib\.a\(two\.o\): two already defined by mine\.o/,
  });
  const dylib = jit.createDylib('other');
  await dylib.addArchive(archiveOf(t, 'ar', 'rcs').content, { name: 'lib.a' });
  const found = await Promise.all([dylib.lookup('two', INT), dylib.lookup('also_two', INT)]);
  t.deepEqual(await Promise.all(found.map((call) => call(3))), [6, 3]);
});

test('a weak reference takes no member out of an archive, and finds what another has taken', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(
    object(`extern __attribute__((weak)) int three(int); extern __attribute__((weak)) int getpid(void);
            int has_three(int x) { return (three ? 1 : 0) + (getpid ? 10 : 0); }`),
  );
  await jit.addArchive(archiveOf(t, 'ar', 'rcs').content, { name: 'lib.a' });
  const has = await jit.lookup('has_three', INT);
  t.is(await has(0), 10);
  t.is(await (await jit.lookup('three', INT))(5), 15);
  t.is(await has(0), 11);
});

test('a program has all members that it needs before its initialisers run, and no others', async (t) => {
  const { jit, printed } = await openJIT(t);
  const directory = mkdtempSync(join(tmpdir(), 'farjit-archive-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const members = {
    'first.o': object(
      '#include <stdio.h>\nextern int value; int first(void) { return value; }\n' +
        '__attribute__((constructor)) static void f(void) { printf("first %d\\n", value); }',
    ),
    // Needed by a member, and by bitcode.
    'value.o': object('int value = 5; int other = 6; int both(void) { return value; }'),
    'other.o': object('int other = 7; int unused(void) { return 0; }'),
    'weak.o': object(
      '#include <stdio.h>\n__attribute__((constructor)) void weakly(void) { puts("weakly"); }',
    ),
    'main.bc': assemble(`
declare i32 @first()
declare extern_weak void @weakly()
@other = external global i32
define i32 @main() {
  %a = call i32 @first()
  %b = load i32, i32* @other
  %c = mul i32 %a, %b
  %d = icmp eq void ()* @weakly, null
  %e = zext i1 %d to i32
  %f = add i32 %c, %e
  ret i32 %f
}`),
  };
  for (const [name, content] of Object.entries(members)) writeFileSync(join(directory, name), content);
  execFileSync('llvm-ar', ['rcs', 'lib.a', ...Object.keys(members)], { cwd: directory, stdio: 'pipe' });
  await jit.addArchive(readFileSync(join(directory, 'lib.a')), { name: 'lib.a' });
  const { exitCode } = await jit.runProgram();
  t.deepEqual([exitCode, printed()], [31, 'first 5\n']);
  t.deepEqual(jit.definedNames().sort(), ['both', 'first', 'main', 'other', 'value']);
});

const common = (source: string) => compile(source, ['-O1', '-fPIC', '-fcommon']);
for (const [kind, members, main] of [
  [
    'objects',
    {
      'value.o': common(
        'int puts(const char *); int value = 5; int more = 6; __attribute__((constructor)) static void f(void) { puts("f"); }',
      ),
      'common.o': common('int other, more;'),
      'function.o': common('void twice(void) {} int more;'),
      'weak.o': common('int __attribute__((weak)) faint = 7; int more;'),
    },
    common('int value, other, twice, faint; int main(void) { return 10 * value + other + twice + faint; }'),
  ],
  [
    'bitcode',
    {
      'value.bc': assemble('@value = global i32 5\n@more = global i32 6'),
      'common.bc': assemble('@other = common global i32 0\n@more = common global i32 0'),
      'function.bc': assemble('@more = common global i32 0\ndefine void @twice() {\n  ret void\n}'),
      'weak.bc': assemble('@more = common global i32 0\n@faint = weak global i32 7'),
    },
    assemble(`
@value = common global i32 0
@other = common global i32 0
@twice = common global i32 0
@faint = common global i32 0
define i32 @main() {
  %a = load i32, i32* @value
  %b = mul i32 %a, 10
  %c = load i32, i32* @other
  %d = add i32 %b, %c
  %e = load i32, i32* @twice
  %f = add i32 %d, %e
  %g = load i32, i32* @faint
  %h = add i32 %f, %g
  ret i32 %h
}`),
  ],
] as const)
  test(`a common variable takes its value out of an archive, as with a linker: ${kind}`, async (t) => {
    const { jit, printed } = await openJIT(t);
    const directory = mkdtempSync(join(tmpdir(), 'farjit-archive-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    for (const [name, content] of Object.entries(members)) writeFileSync(join(directory, name), content);
    execFileSync('llvm-ar', ['rcs', 'lib.a', ...Object.keys(members)], { cwd: directory, stdio: 'pipe' });
    await jit.addArchive(readFileSync(join(directory, 'lib.a')), { name: 'lib.a' });
    await jit.addObject(main, { name: 'main.o' });
    const { exitCode } = await jit.runProgram();
    t.deepEqual([exitCode, printed()], [50, kind === 'objects' ? 'f\n' : '']);
    t.deepEqual(jit.definedNames().sort(), ['faint', 'main', 'more', 'other', 'twice', 'value']);
  });

test('an archive is removed with the members that it has brought, and nothing else', async (t) => {
  const { jit } = await openJIT(t);
  const { content } = archiveOf(t, 'ar', 'rcs');
  await jit.addObject(object('int five(int x) { return x + 5; }'), { name: 'mine.o' });
  const archive = await jit.addArchive(content, { name: 'lib.a' });
  t.deepEqual(archive.names, []);
  const one = await jit.lookup('one', INT);
  t.is(await one(1), 3);
  t.deepEqual(archive.names.toSorted(), ['also_two', 'one', 'state', 'two']);
  jit.removeModule(archive);
  t.deepEqual(jit.definedNames(), ['five']);
  await t.throwsAsync(one(1), { code: 'SYMBOLS_NOT_FOUND' });
  await t.throwsAsync(jit.lookup('three', INT), { code: 'SYMBOLS_NOT_FOUND' });
  // Another has the names to itself, and members with data begin anew.
  await jit.addArchive(content, { name: 'again.a' });
  t.is(await one(1), 3);
  t.is(await (await jit.lookup('three', INT))(1), 3);
});

test('an archive with a member that is initialised is removed after that is deinitialised, or not at all', async (t) => {
  const { jit } = await openJIT(t);
  const archive = await jit.addArchive(archiveOf(t, 'ar', 'rcs').content, { name: 'lib.a' });
  t.is(await (await jit.lookup('one', INT))(1), 3);
  await t.throwsAsync(jit.lookup('four', INT), { code: 'INITIALIZERS_DUE' });
  await jit.initialize();
  const four = await jit.lookup('four', INT);
  t.is(await four(1), 5);
  t.throws(() => archive.remove(), { code: 'INITIALIZED' });
  t.is(await (await jit.lookup('one', INT))(1), 3);
  t.is(await (await jit.lookup('three', INT))(1), 3);
  await jit.deinitialize();
  archive.remove();
  t.deepEqual(jit.definedNames(), []);
});

test('a member that is on its way when its archive is removed does not stay', async (t) => {
  const { jit } = await openJIT(t);
  const archive = await jit.addArchive(archiveOf(t, 'ar', 'rcs').content, { name: 'lib.a' });
  const asked = jit.findSymbol('three');
  await undefined;
  archive.remove();
  await asked.catch(() => undefined);
  t.is(await jit.findSymbol('three'), undefined);
  t.deepEqual(jit.definedNames(), []);
});

test('a thin archive whose members cannot be read is refused, and none is looked for elsewhere', async (t) => {
  const { jit } = await openJIT(t);
  const { directory, content } = archiveOf(t, 'ar', 'rcST');
  await t.throwsAsync(jit.addArchive(content, { name: 'thin.a' }), {
    instanceOf: LinkError,
    message: /^thin\.a: its member one\.o is a file elsewhere .*: say in which directory$/,
  });
  await t.throwsAsync(jit.addArchive(content, { name: 'thin.a', directory: join(directory, 'sub') }), {
    message: /its member one\.o cannot be read: ENOENT/,
  });
  const outside = Buffer.from(content.toString('latin1').replace('sub/two.o', '../two.oo'), 'latin1');
  await t.throwsAsync(jit.addArchive(outside, { name: 'thin.a', directory }), {
    message: /its member \.\.\/two\.oo is outside of .*, and is not looked for there$/,
  });
});

test('an archive that is damaged is refused, and supplies nothing', async (t) => {
  const { jit } = await openJIT(t);
  const { content } = archiveOf(t, 'ar', 'rcs');
  for (let length = 9; length < content.byteLength; length += 97)
    await t.throwsAsync(jit.addArchive(content.subarray(0, length), { name: 'cut.a' }), {
      instanceOf: LinkError,
      message: /^cut\.a: malformed archive at byte \d+: /,
    });
  t.is(await jit.findSymbol('one'), undefined);
});
