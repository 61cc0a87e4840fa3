import { BitcodeError, CompileError, IRSyntaxError, LinkError } from '@farjit/compiler';
import test from 'ava';
import { assemble } from '#compiler/test/llvm/assemble.js';
import { openJIT } from './jit-fixture.js';

const SOURCE = `
@counter = global i32 0
define i32 @next(i32 %step) {
  %n = load i32, i32* @counter
  %m = add i32 %n, %step
  store i32 %m, i32* @counter
  ret i32 %m
}
define i32 @twice(i32 %step) {
  %n = call i32 @next(i32 %step)
  %m = call i32 @next(i32 %step)
  ret i32 %m
}`;

test('LLVM assembly and bitcode are added as they come, and run function by function', async (t) => {
  const { jit } = await openJIT(t);
  for (const content of [SOURCE, Buffer.from(SOURCE), assemble(SOURCE)]) {
    const tracker = await jit.addIR(content, { name: 'counter.ll' });
    t.deepEqual([...tracker.names].sort(), ['counter', 'next', 'twice']);
    const next = await jit.lookup('next');
    t.is(await next(3), 3);
    t.is(await next(3), 6);
    const { compileCallbacks } = jit.statistics();
    t.is(await (await jit.lookup('twice'))(2), 10);
    // `next` was linked before.
    t.is(jit.statistics().compileCallbacks, compileCallbacks + 1);
    tracker.remove();
  }
});

test('IR in a dylib of its own means something there only', async (t) => {
  const { jit } = await openJIT(t);
  const [first, second] = ['first', 'second'].map((name) => jit.createDylib(name));
  await first?.addIR('define i32 @f() { ret i32 1 }');
  await second?.addIR('define i32 @f() { ret i32 2 }');
  t.is(await (await first?.lookup('f'))?.(), 1);
  t.is(await (await second?.lookup('f'))?.(), 2);
  t.is(await jit.findSymbol('f'), undefined);
});

for (const optLevel of [undefined, 0, 1, 2] as const)
  test(`what is to be inlined always is defined nowhere else, at level ${optLevel ?? 'unsaid'}`, async (t) => {
    const { jit } = await openJIT(t, optLevel === undefined ? {} : { optLevel });
    await jit.addIR(`
define available_externally i32 @only_here(i32 %x) alwaysinline {
  %y = mul i32 %x, 3
  ret i32 %y
}
define i32 @f(i32 %x) {
  %y = call i32 @only_here(i32 %x)
  ret i32 %y
}`);
    t.is(await (await jit.lookup('f'))(14), 42);
  });

test('what assembly in a module defines is a definition like others', async (t) => {
  const { jit } = await openJIT(t);
  const source = `
module asm ".text"
module asm ".globl plus1"
module asm ".type plus1,@function"
module asm "plus1: lea 1(%rdi), %eax"
module asm " ret"
module asm ".weak number"
module asm ".data"
module asm ".type number,@object"
module asm ".size number,4"
module asm "number: .long 40"
declare i32 @plus1(i32)
@number = external global i32
define i32 @f() {
  %n = load i32, i32* @number
  %r = call i32 @plus1(i32 %n)
  ret i32 %r
}`;
  const tracker = await jit.addIR(source, { name: 'asm.ll' });
  t.deepEqual([...tracker.names].sort(), ['f', 'number', 'plus1']);
  t.is(await (await jit.lookup('f'))(), 41);
  t.is((await jit.findSymbol('number'))?.kind, 'data');
  const other = jit.createDylib('other');
  await other.addIR(source.replace('.long 40', '.long 1'));
  await other.addIR('@number = global i32 99', { name: 'strong.ll' });
  t.is(await (await other.lookup('f'))(), 100);
  const wrong = source.replace('lea 1', 'lae 1').replaceAll(/@f\b/g, '@g').replaceAll('plus1', 'plus2');
  await t.throwsAsync(jit.addIR(wrong, { name: 'wrong.ll' }), { code: 'COMPILE', message: /lae/ });
  t.is(await jit.findSymbol('plus2'), undefined);
});

test('IR that cannot be added adds nothing, and the session goes on', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addIR('define i32 @taken() { ret i32 1 }', { name: 'first.ll' });
  const good = assemble('define i32 @f() { ret i32 1 }');
  const cases = [
    ['define i32 @f() {\n  ret i64 1\n}', IRSyntaxError, 'IR_SYNTAX'],
    [good.subarray(0, good.byteLength / 2), BitcodeError, 'BITCODE'],
    ['target triple = "arm-linux-gnueabi"\ndefine i32 @f() { ret i32 1 }', CompileError, 'COMPILE'],
    ['define i32 @f() { ret i32 1 }\ndefine i32 @taken() { ret i32 2 }', LinkError, 'LINK_ERROR'],
  ] as const;
  for (const [content, instanceOf, code] of cases) {
    await t.throwsAsync(jit.addIR(content, { name: 'second' }), { instanceOf, code, message: /second/ });
    t.is(await jit.findSymbol('f'), undefined, code);
  }
  t.is(await (await jit.lookup('taken'))(), 1);
});

test('functions that are to tell of their entries do so at every level, each once', async (t) => {
  for (const optLevel of [undefined, 0, 2] as const) {
    const { jit } = await openJIT(t, optLevel === undefined ? {} : { optLevel });
    await jit.addIR(
      assemble(`
@count = global i32 0
define void @__cyg_profile_func_enter(i8* %function, i8* %site) {
  %before = load i32, i32* @count
  %after = add i32 %before, 1
  store i32 %after, i32* @count
  ret void
}
define internal void @inner() "instrument-function-entry"="__cyg_profile_func_enter" { ret void }
define i32 @f() "instrument-function-entry"="__cyg_profile_func_enter" {
  call void @inner()
  call void @inner()
  %count = load i32, i32* @count
  ret i32 %count
}`),
    );
    t.is(await (await jit.lookup('f', { result: 'i32', parameters: [] }))(), 3, `level ${optLevel}`);
    await jit.close();
  }
});

test('data in front of code is refused by name, as nobody would find it by an address', async (t) => {
  const { jit } = await openJIT(t);
  const withData = (kind: string) => `define double @five() ${kind} {
  ret double 5.0
}`;
  await t.throwsAsync(jit.addIR(withData('prefix i32 123'), { name: 'p.ll' }), {
    code: 'COMPILE',
    message:
      "Cannot add module p.ll: five has prefix data, which is not found by a function's address here: it is its stub's",
  });
  t.deepEqual(jit.definedNames(), []);
  // Prologue data is code: a NOP.
  await jit.addIR(withData('prologue i8 144'));
  t.is(await (await jit.lookup('five'))(), 5);
});
