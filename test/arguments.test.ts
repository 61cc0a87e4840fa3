import test from 'ava';
import { parseAssembly } from './ir-module.js';
import { evaluateAll, openJIT } from './jit-fixture.js';

/** A hexadecimal double constant as LLVM assembly writes it: every bit as given. */
function doubleConstant(value: number): string {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  return `0x${bits.getBigUint64(0).toString(16).toUpperCase().padStart(16, '0')}`;
}

/**
 * `@callee` stores its eight vectors in `@seen`; `@check` calls it with known lanes and counts those that arrived
 * with other bits, or that it did not get back.
 */
function vectorModules(lanes: number): { callee: string; caller: string } {
  const vector = `<${lanes} x double>`;
  const indices = Array.from({ length: 8 }, (_, i) => i);
  const lane = (i: number, k: number) => doubleConstant((i + 1) * 1000 + k + Math.PI);
  const constant = (i: number) =>
    `<${Array.from({ length: lanes }, (_, k) => `double ${lane(i, k)}`).join(', ')}>`;
  const parameters = indices.map((i) => `${vector} %v${i}`).join(', ');
  const stores = indices.map(
    (i) =>
      `  store ${vector} %v${i}, ${vector}* getelementptr ([8 x ${vector}], [8 x ${vector}]* @seen, i64 0, i64 ${i})`,
  );
  const callee = `
@seen = global [8 x ${vector}] zeroinitializer, align 64
define ${vector} @callee(${parameters}) {
${stores.join('\n')}
  ret ${vector} %v7
}`;
  const body: string[] = [];
  let sum = '0';
  const compare = (name: string, value: string, i: number) => {
    body.push(
      `  %b${name} = bitcast ${vector} ${value} to <${lanes} x i64>`,
      `  %e${name} = bitcast ${vector} ${constant(i)} to <${lanes} x i64>`,
      `  %c${name} = icmp ne <${lanes} x i64> %b${name}, %e${name}`,
    );
    for (let k = 0; k < lanes; k++) {
      body.push(
        `  %x${name}_${k} = extractelement <${lanes} x i1> %c${name}, i32 ${k}`,
        `  %z${name}_${k} = zext i1 %x${name}_${k} to i32`,
        `  %s${name}_${k} = add i32 ${sum}, %z${name}_${k}`,
      );
      sum = `%s${name}_${k}`;
    }
  };
  for (const i of indices) {
    body.push(
      `  %l${i} = load volatile ${vector}, ${vector}* getelementptr ([8 x ${vector}], [8 x ${vector}]* @seen, i64 0, i64 ${i})`,
    );
    compare(String(i), `%l${i}`, i);
  }
  compare('r', '%r', 7);
  const caller = `
@seen = external global [8 x ${vector}]
declare ${vector} @callee(${indices.map(() => vector).join(', ')})
define i32 @check() {
  %r = call ${vector} @callee(${indices.map((i) => `${vector} ${constant(i)}`).join(', ')})
${body.join('\n')}
  ret i32 ${sum}
}`;
  return { callee, caller };
}

for (const lanes of [2, 4, 8]) {
  test(`eight <${lanes} x double> arguments and the result keep every bit on the first, lazy call`, async (t) => {
    // With the data that both have in common the callee would come along.
    const { jit } = await openJIT(t, { speculate: 'off' });
    const { callee, caller } = vectorModules(lanes);
    await jit.addModule(parseAssembly(callee));
    await jit.addModule(parseAssembly(caller));
    const check = await jit.lookup('check');
    t.is(await check(), 0);
    // Two callbacks: `check` from the wrapper, `callee` from `check`.
    t.is(jit.statistics().compileCallbacks, 2);
    t.is(await check(), 0);
    t.is(jit.statistics().compileCallbacks, 2);
  });
}

test('twelve parameters', async (t) => {
  const { jit } = await openJIT(t);
  const [value] = await evaluateAll(
    jit,
    'def f(a b c d e g h i j k l m) a+b*2+c*3+d*4+e*5+g*6+h*7+i*8+j*9+k*10+l*11+m*12; f(1,2,3,4,5,6,7,8,9,10,11,12);',
  );
  t.is(value, 650);
});

test('mixed integers, floats and stack arguments', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
define double @mixed(i8 signext %a, double %b, i64 %c, float %d, i32 %e, double %f, i16 signext %g, i64 %h, i64 %i,
                     double %j, i64 %k, double %l, double %m, double %n, double %o, double %p, i32 %q, float %r) {
  %a1 = sitofp i8 %a to double
  %c1 = sitofp i64 %c to double
  %d1 = fpext float %d to double
  %e1 = sitofp i32 %e to double
  %g1 = sitofp i16 %g to double
  %h1 = sitofp i64 %h to double
  %i1 = sitofp i64 %i to double
  %k1 = sitofp i64 %k to double
  %q1 = sitofp i32 %q to double
  %r1 = fpext float %r to double
  %s0 = fmul double %a1, 1.0
  %t1 = fmul double %b, 2.0
  %s1 = fadd double %s0, %t1
  %t2 = fmul double %c1, 3.0
  %s2 = fadd double %s1, %t2
  %t3 = fmul double %d1, 4.0
  %s3 = fadd double %s2, %t3
  %t4 = fmul double %e1, 5.0
  %s4 = fadd double %s3, %t4
  %t5 = fmul double %f, 6.0
  %s5 = fadd double %s4, %t5
  %t6 = fmul double %g1, 7.0
  %s6 = fadd double %s5, %t6
  %t7 = fmul double %h1, 8.0
  %s7 = fadd double %s6, %t7
  %t8 = fmul double %i1, 9.0
  %s8 = fadd double %s7, %t8
  %t9 = fmul double %j, 10.0
  %s9 = fadd double %s8, %t9
  %t10 = fmul double %k1, 11.0
  %s10 = fadd double %s9, %t10
  %t11 = fmul double %l, 12.0
  %s11 = fadd double %s10, %t11
  %t12 = fmul double %m, 13.0
  %s12 = fadd double %s11, %t12
  %t13 = fmul double %n, 14.0
  %s13 = fadd double %s12, %t13
  %t14 = fmul double %o, 15.0
  %s14 = fadd double %s13, %t14
  %t15 = fmul double %p, 16.0
  %s15 = fadd double %s14, %t15
  %t16 = fmul double %q1, 17.0
  %s16 = fadd double %s15, %t16
  %t17 = fmul double %r1, 18.0
  %s17 = fadd double %s16, %t17
  ret double %s17
}`),
  );
  const args = [-1, 2.5, 3n, 4.5, 5, 6.25, -7, 8n, 9n, 10.5, 11n, 12.5, 13.5, 14.5, 15.5, 16.5, 17, 18.5];
  const expected = args.reduce<number>((sum, value, i) => sum + Number(value) * (i + 1), 0);
  const mixed = await jit.lookup('mixed');
  t.is(await mixed(...args), expected);
});

test('varargs: %al arrives, so the callee finds its vector arguments', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
declare i32 @snprintf(i8*, i64, i8*, ...)
declare i32 @vsnprintf(i8*, i64, i8*, i8*)
declare void @llvm.va_start(i8*)
declare void @llvm.va_end(i8*)
define i32 @format(i8* %buffer, i64 %size, i8* %format, ...) {
  %list = alloca [3 x i64], align 16
  %list8 = bitcast [3 x i64]* %list to i8*
  call void @llvm.va_start(i8* %list8)
  %n = call i32 @vsnprintf(i8* %buffer, i64 %size, i8* %format, i8* %list8)
  call void @llvm.va_end(i8* %list8)
  ret i32 %n
}`),
  );
  await jit.addModule(
    parseAssembly(`
@fmt = private constant [29 x i8] c"%d %.2f %s %.1f %lld %.3f %d\\00"
@str = private constant [4 x i8] c"abc\\00"
@want = private constant [40 x i8] c"-7 2.50 abc 3.5 123456789012 4.125 8\\00\\00\\00\\00"
declare i32 @format(i8*, i64, i8*, ...)
declare i32 @strcmp(i8*, i8*)
define i32 @check() {
  %buffer = alloca [64 x i8]
  %b = getelementptr [64 x i8], [64 x i8]* %buffer, i64 0, i64 0
  %f = getelementptr [29 x i8], [29 x i8]* @fmt, i64 0, i64 0
  %s = getelementptr [4 x i8], [4 x i8]* @str, i64 0, i64 0
  %w = getelementptr [40 x i8], [40 x i8]* @want, i64 0, i64 0
  %n = call i32 (i8*, i64, i8*, ...) @format(i8* %b, i64 64, i8* %f, i32 -7, double 2.5, i8* %s, double 3.5,
                                             i64 123456789012, double 4.125, i32 8)
  %c = call i32 @strcmp(i8* %b, i8* %w)
  ret i32 %c
}`),
  );
  const check = await jit.lookup('check');
  t.is(await check(), 0);
});

test('a struct return pointer and a struct by value', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
%big = type { i64, double, i64, double }
define void @make(%big* noalias sret(%big) %out, i64 %a, double %b, %big* byval(%big) %in) {
  %p0 = getelementptr %big, %big* %out, i32 0, i32 0
  store i64 %a, i64* %p0
  %p1 = getelementptr %big, %big* %out, i32 0, i32 1
  store double %b, double* %p1
  %q2 = getelementptr %big, %big* %in, i32 0, i32 2
  %v2 = load i64, i64* %q2
  %p2 = getelementptr %big, %big* %out, i32 0, i32 2
  store i64 %v2, i64* %p2
  %q3 = getelementptr %big, %big* %in, i32 0, i32 3
  %v3 = load double, double* %q3
  %p3 = getelementptr %big, %big* %out, i32 0, i32 3
  store double %v3, double* %p3
  ret void
}`),
  );
  await jit.addModule(
    parseAssembly(`
%big = type { i64, double, i64, double }
declare void @make(%big* sret(%big), i64, double, %big* byval(%big))
define double @check() {
  %out = alloca %big
  %in = alloca %big
  store %big { i64 1, double 2.0, i64 300, double 4000.0 }, %big* %in
  call void @make(%big* sret(%big) %out, i64 5, double 60.0, %big* byval(%big) %in)
  %r = load %big, %big* %out
  %a = extractvalue %big %r, 0
  %b = extractvalue %big %r, 1
  %c = extractvalue %big %r, 2
  %d = extractvalue %big %r, 3
  %a1 = sitofp i64 %a to double
  %c1 = sitofp i64 %c to double
  %s0 = fadd double %a1, %b
  %s1 = fadd double %s0, %c1
  %s2 = fadd double %s1, %d
  ret double %s2
}`),
  );
  const check = await jit.lookup('check');
  t.is(await check(), 5 + 60 + 300 + 4000);
});

test("a function's address taken inside its own body is its stub's", async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
define i64 @self() {
  %address = ptrtoint i64 ()* @self to i64
  ret i64 %address
}
define i64 @other() {
  %address = ptrtoint i64 ()* @self to i64
  ret i64 %address
}`),
  );
  const symbol = await jit.findSymbol('self');
  const self = await jit.lookup('self');
  const other = await jit.lookup('other');
  t.is(await self(), symbol?.address);
  t.is(await other(), symbol?.address);
  const stub = (await jit.stubs()).find(({ name }) => name === 'self');
  t.is(stub?.stub, symbol?.address);
  t.false(stub?.lazy);
});
