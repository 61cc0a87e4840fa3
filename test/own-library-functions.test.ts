import test from 'ava';
import { assemble } from '#compiler/test/llvm/assemble.js';
import { openJIT } from './jit-fixture.js';

/** A bit for each function of the C library that has answered as the program's own does. */
const CALLS = `
@text = private constant [4 x i8] c"abc\\00"
@line = private constant [3 x i8] c"x\\0A\\00"
define i32 @answers(i32 %number, double %x) {
  %text = getelementptr [4 x i8], [4 x i8]* @text, i32 0, i32 0
  %line = getelementptr [3 x i8], [3 x i8]* @line, i32 0, i32 0
  %length = call i64 @strlen(i8* %text)
  %1 = icmp eq i64 %length, 42
  %absolute = call i32 @abs(i32 -3)
  %2 = icmp eq i32 %absolute, 7
  %pointer = call i8* @malloc(i64 3)
  %3 = icmp eq i8* %pointer, getelementptr ([4 x i8], [4 x i8]* @heap, i32 0, i32 0)
  %copy = call i8* @memcpy(i8* %text, i8* %line, i64 2)
  %4 = icmp eq i8* %copy, null
  %printed = call i32 (i8*, ...) @printf(i8* %line)
  %5 = icmp eq i32 %printed, 100
  %put = call i32 @puts(i8* %text)
  %6 = icmp eq i32 %put, 200
  %magnitude = call double @fabs(double %x)
  %7 = fcmp oeq double %magnitude, 5.0
  %root = call double @sqrt(double %x)
  %8 = fcmp oeq double %root, 9.0
  %b1 = zext i1 %1 to i32
  %b2 = select i1 %2, i32 2, i32 0
  %b3 = select i1 %3, i32 4, i32 0
  %b4 = select i1 %4, i32 8, i32 0
  %b5 = select i1 %5, i32 16, i32 0
  %b6 = select i1 %6, i32 32, i32 0
  %b7 = select i1 %7, i32 64, i32 0
  %b8 = select i1 %8, i32 128, i32 0
  %o2 = or i32 %b1, %b2
  %o3 = or i32 %o2, %b3
  %o4 = or i32 %o3, %b4
  %o5 = or i32 %o4, %b5
  %o6 = or i32 %o5, %b6
  %o7 = or i32 %o6, %b7
  %o8 = or i32 %o7, %b8
  ret i32 %o8
}`;

const ALL = 0b1111_1111;

const definitions = (attribute: string, linkage = '') => `
@heap = global [4 x i8] zeroinitializer
define ${linkage} i64 @strlen(i8* %text) ${attribute} { ret i64 42 }
define ${linkage} i32 @abs(i32 %x) ${attribute} { ret i32 7 }
define ${linkage} i8* @malloc(i64 %size) ${attribute} { ret i8* getelementptr ([4 x i8], [4 x i8]* @heap, i32 0, i32 0) }
define ${linkage} i8* @memcpy(i8* %to, i8* %from, i64 %size) ${attribute} { ret i8* null }
define ${linkage} i32 @printf(i8* %format, ...) ${attribute} { ret i32 100 }
define ${linkage} i32 @puts(i8* %text) ${attribute} { ret i32 200 }
define ${linkage} double @fabs(double %x) ${attribute} { ret double 5.0 }
define ${linkage} double @"\\01sqrt"(double %x) ${attribute} { ret double 9.0 }`;

const DECLARATIONS = `
@heap = external global [4 x i8]
declare i64 @strlen(i8*)
declare i32 @abs(i32)
declare i8* @malloc(i64)
declare i8* @memcpy(i8*, i8*, i64)
declare i32 @printf(i8*, ...)
declare i32 @puts(i8*)
declare double @fabs(double)
declare double @"\\01sqrt"(double)`;

/** With the name that LLVM is not to mangle. */
const CALLS_RAW = CALLS.replace('@sqrt(', '@"\\01sqrt"(');

const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  'in the module that calls them': [`${definitions('')}${CALLS_RAW}`],
  'in the module that calls them, not to be inlined': [`${definitions('noinline')}${CALLS_RAW}`],
  'in the module that calls them, for it alone': [`${definitions('noinline', 'internal')}${CALLS_RAW}`],
  'in the module that calls them, weakly': [`${definitions('', 'weak')}${CALLS_RAW}`],
  'in a module that is added earlier': [definitions(''), `${DECLARATIONS}${CALLS_RAW}`],
  'in a module that is added later': [`${DECLARATIONS}${CALLS_RAW}`, definitions('')],
};

test("functions under names of the C library are the program's own, wherever it defines them", async (t) => {
  for (const optLevel of [undefined, 0, 2] as const) {
    const { jit } = await openJIT(t, optLevel === undefined ? {} : { optLevel });
    for (const [where, modules] of Object.entries(PROGRAMS)) {
      const dylib = jit.createDylib(where);
      for (const module of modules) await dylib.addIR(assemble(module));
      const answers = await dylib.lookup('answers', { result: 'i32', parameters: ['i32', 'double'] });
      t.is(await answers(-3, -3), ALL, `level ${optLevel ?? 'of the default'}, ${where}`);
    }
    await jit.close();
  }
});

test("what a function of the C library's name calls is not made a call of itself", async (t) => {
  const { jit, printed } = await openJIT(t, { optLevel: 2 });
  await jit.addIR(
    assemble(`
@format = private constant [4 x i8] c"%s\\0A\\00"
@text = private constant [4 x i8] c"abc\\00"
@calls = global i32 0
declare i32 @printf(i8*, ...)
define i32 @puts(i8* %text) noinline {
  %calls = load i32, i32* @calls
  %more = add i32 %calls, 1
  store i32 %more, i32* @calls
  %format = getelementptr [4 x i8], [4 x i8]* @format, i32 0, i32 0
  %r = call i32 (i8*, ...) @printf(i8* %format, i8* %text)
  ret i32 0
}
define i32 @f() {
  %text = getelementptr [4 x i8], [4 x i8]* @text, i32 0, i32 0
  %r = call i32 @puts(i8* %text)
  %calls = load i32, i32* @calls
  ret i32 %calls
}`),
  );
  const f = await jit.lookup('f', { result: 'i32', parameters: [] });
  t.is(await f(), 1);
  await jit.close();
  t.is(printed(), 'abc\n');
});
