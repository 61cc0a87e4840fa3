import test from 'ava';
import { findLibLLVM } from '#compiler/src/llvm/find-libllvm.js';
import { openJIT } from './jit-fixture.js';

/** A coroutine that prints a digit, waits, and prints the next; as LLVM 14 writes it. */
const COUNTING = `
declare token @llvm.coro.id(i32, i8*, i8*, i8*)
declare i64 @llvm.coro.size.i64()
declare i8* @llvm.coro.begin(token, i8*)
declare i8 @llvm.coro.suspend(token, i1)
declare i8* @llvm.coro.free(token, i8*)
declare i1 @llvm.coro.end(i8*, i1)
declare void @llvm.coro.resume(i8*)
declare void @llvm.coro.destroy(i8*)
declare i8* @malloc(i64)
declare void @free(i8*)
declare i32 @putchar(i32)
define i8* @count(i32 %from) "coroutine.presplit"="0" {
entry:
  %id = call token @llvm.coro.id(i32 0, i8* null, i8* null, i8* null)
  %size = call i64 @llvm.coro.size.i64()
  %memory = call i8* @malloc(i64 %size)
  %frame = call i8* @llvm.coro.begin(token %id, i8* %memory)
  br label %loop
loop:
  %digit = phi i32 [ %from, %entry ], [ %next, %resumed ]
  %printed = call i32 @putchar(i32 %digit)
  %how = call i8 @llvm.coro.suspend(token none, i1 false)
  switch i8 %how, label %suspended [
    i8 0, label %resumed
    i8 1, label %destroyed
  ]
resumed:
  %next = add i32 %digit, 1
  br label %loop
destroyed:
  %freed = call i8* @llvm.coro.free(token %id, i8* %frame)
  call void @free(i8* %freed)
  br label %suspended
suspended:
  %unused = call i1 @llvm.coro.end(i8* %frame, i1 false)
  ret i8* %frame
}
define i32 @main() {
  %frame = call i8* @count(i32 52)
  call void @llvm.coro.resume(i8* %frame)
  call void @llvm.coro.resume(i8* %frame)
  call void @llvm.coro.destroy(i8* %frame)
  ret i32 3
}`;

/** The same as later ones write it. */
function withoutTypedPointers(assembly: string): string {
  return assembly
    .replaceAll('i8*', 'ptr')
    .replace('"coroutine.presplit"="0"', 'presplitcoroutine')
    .replace('declare i1 @llvm.coro.end(ptr, i1)', 'declare void @llvm.coro.end(ptr, i1, token)')
    .replace(
      '%unused = call i1 @llvm.coro.end(ptr %frame, i1 false)',
      'call void @llvm.coro.end(ptr %frame, i1 false, token none)',
    );
}

for (const optLevel of [undefined, 0, 1, 2] as const)
  test(`coroutines are split at level ${optLevel ?? 'of modules'}`, async (t) => {
    const { jit, printed } = await openJIT(t, optLevel === undefined ? {} : { optLevel });
    const isOld = findLibLLVM().majorVersion < 15;
    await jit.addIR(isOld ? COUNTING : withoutTypedPointers(COUNTING), { name: 'counting.ll' });
    t.like(await jit.runProgram(), { exitCode: 3 });
    t.is(printed(), '456');
  });
