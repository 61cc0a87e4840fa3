import test from 'ava';
import { parseAssembly } from './ir-module.js';
import { openJIT } from './jit-fixture.js';

const PROGRAM = `
declare i32 @putchar(i32)
define i32 @deep(i32 %x) {
  %y = add i32 %x, 1
  ret i32 %y
}
define internal i32 @local(i32 %x) noinline {
  ret i32 %x
}
define i32 @called(i32 %x) {
  call i32 @putchar(i32 88)
  %y = call i32 @deep(i32 %x)
  %z = call i32 @local(i32 %y)
  ret i32 %z
}
define i32 @uncalled() { ret i32 9 }
define i32 @main() {
  %r = call i32 @called(i32 6)
  ret i32 %r
}`;

test('an eager program asks for nothing once it has begun', async (t) => {
  const linked: string[] = [];
  const counts: number[] = [];
  for (const eager of [false, true]) {
    const { jit } = await openJIT(t, {
      speculate: 'off',
      onEvent: (event) => {
        if (event.type === 'linked') linked.push(event.unit);
      },
    });
    await jit.addModule(parseAssembly(PROGRAM));
    linked.length = 0;
    t.like(await jit.runProgram({ eager }), { exitCode: 7 });
    counts.push(jit.statistics().compileCallbacks, linked.length);
    // So is the next one, which has a new runner.
    t.like(await jit.runProgram({ eager }), { exitCode: 7 });
  }
  t.deepEqual(counts, [4, 4, 0, 5]);
});

test('an eager program with a function that cannot be linked does not begin', async (t) => {
  const missing = `
declare void @nowhere()
define void @uncalled_too() {
  call void @nowhere()
  ret void
}`;
  const { jit, printed } = await openJIT(t);
  await jit.addModule(parseAssembly(PROGRAM));
  const tracker = await jit.addModule(parseAssembly(missing));
  t.like(await jit.runProgram(), { exitCode: 7 });
  t.is(printed(), 'X');
  const error = await t.throwsAsync(jit.runProgram({ eager: true }));
  t.regex(`${error?.message} ${(error?.cause as Error | undefined)?.message}`, /nowhere/);
  t.is(printed(), 'X');
  tracker.remove();
  t.like(await jit.runProgram({ eager: true }), { exitCode: 7 });
});
