import { execFileSync } from 'node:child_process';
import type { ModuleIR } from '../../src/llvm/module-ir.js';

/** LLVM assembly of version 14 as bitcode, by llvm-14's own assembler. */
export function assemble(ir: string, ...options: string[]): Uint8Array {
  return execFileSync('/usr/lib/llvm-14/bin/llvm-as', [...options, '-', '-o', '-'], { input: ir });
}

/** Bytes that are said to be bitcode. */
export function bitcode(bytes: Uint8Array): ModuleIR {
  return { form: 'bitcode', bytes };
}

/** `fib(1) = fib(2) = 1`, recursively, calling itself and nothing else. */
export const FIB = `
define double @fib(double %n) {
entry:
  %small = fcmp ult double %n, 3.0
  br i1 %small, label %done, label %more
more:
  %n1 = fsub double %n, 1.0
  %f1 = call double @fib(double %n1)
  %n2 = fsub double %n, 2.0
  %f2 = call double @fib(double %n2)
  %sum = fadd double %f1, %f2
  br label %done
done:
  %r = phi double [ 1.0, %entry ], [ %sum, %more ]
  ret double %r
}
`;

/** Stores its argument to the stack and loads it again, which mem2reg does away with. */
export const THROUGH_MEMORY = `
define double @identity(double %x) {
  %slot = alloca double
  store double %x, double* %slot
  %y = load double, double* %slot
  ret double %y
}
`;

/** Everything that is prepared: own sections, odd names, data, calls of the program's own and of libm's. */
export const VARIED = `
@counter = global i32 0
declare double @fabs(double)
declare double @sqrt(double)
define double @uses(double %x) {
  %a = call double @fabs(double %x)
  %b = call double @sqrt(double %a)
  ret double %b
}
define internal double @hidden(double %x) noinline { ret double %x }
define double @"\\01raw"(double %x) { %y = call double @hidden(double %x) ret double %y }
define double @placed(double %x) section ".text.special" { ret double %x }
define double @0(double %x) { ret double %x }
define double @"operator:"(double %x) { ret double %x }`;
