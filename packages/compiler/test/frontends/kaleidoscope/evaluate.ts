import { entryName } from '../../../src/calls/entry-name.js';
import type { FunctionAST, PrototypeAST } from '../../../src/frontends/kaleidoscope/ast.js';
import { bitcodeOf } from '../../ir/module-of.js';
import { generate } from './generate.js';
import { runWithLli } from './lli.js';
import { parse } from './parse.js';

/**
 * Compiles a program (without redefinitions) and runs it: every body as `f$impl`, reached through a stub `f` that jumps
 * to it, every expression through its entry. Returns the printed lines: `printd`'s numbers, `putchard`'s characters,
 * and `= value` after each top-level expression, as printf's `%f` shows them; the sign of a NaN is dropped, since
 * nothing defines it.
 */
export async function evaluate(text: string): Promise<string[]> {
  const { items, diagnostics } = parse(text);
  if (diagnostics[0]) throw diagnostics[0];

  const prototypes = new Map<string, PrototypeAST>();
  const definitions: FunctionAST[] = [];
  const expressions: FunctionAST[] = [];
  for (const item of items) {
    if (item.kind === 'extern') {
      prototypes.set(item.prototype.name, item.prototype);
    } else if (item.kind === 'definition') {
      prototypes.set(item.function.prototype.name, item.function.prototype);
      definitions.push(item.function);
    } else {
      expressions.push(item.function);
    }
  }

  const generated = generate(
    [
      ...definitions.map((fn) => ({ function: fn, implementationName: `${fn.prototype.name}$impl` })),
      ...expressions.map((fn, index) => ({
        function: fn,
        implementationName: expressionName(index),
        withEntry: true,
      })),
    ],
    (name) => prototypes.get(name),
  );
  const stubs = definitions.map((fn) => stub(fn.prototype));
  const program = [PRINTING, ...stubs, main(expressions.length)].join('\n');
  const output = runWithLli(await bitcodeOf(generated), program);
  return output.replaceAll('-nan', 'nan').split('\n').slice(0, -1);
}

function expressionName(index: number): string {
  return `__anon_expr$${index}`;
}

function stub({ name, parameters }: PrototypeAST): string {
  const formal = parameters.map((_, index) => `double %p${index}`).join(', ');
  const types = parameters.map(() => 'double').join(', ');
  return `declare double @"${name}$impl"(${types})
define double @"${name}"(${formal}) {
  %r = musttail call double @"${name}$impl"(${formal})
  ret double %r
}`;
}

const PRINTING = `
@number = private constant [4 x i8] c"%f\\0A\\00"
@result = private constant [6 x i8] c"= %f\\0A\\00"
declare i32 @printf(i8*, ...)
declare i32 @putchar(i32)
define double @printd(double %x) {
  call i32 (i8*, ...) @printf(i8* getelementptr ([4 x i8], [4 x i8]* @number, i64 0, i64 0), double %x)
  ret double 0.0
}
define double @putchard(double %x) {
  %c = fptosi double %x to i32
  call i32 @putchar(i32 %c)
  ret double 0.0
}`;

/** Fills the block with garbage before each entry, which must overwrite all of it. */
function main(expressionCount: number): string {
  const indexes = Array.from({ length: expressionCount }, (_, index) => index);
  const declarations = indexes.map((index) => `declare void @"${entryName(expressionName(index))}"(i8*)`);
  const calls = indexes.map(
    (index) => `  store double 1234.5, double* %slot
  call void @"${entryName(expressionName(index))}"(i8* %block)
  %v${index} = load double, double* %slot
  call i32 (i8*, ...) @printf(i8* getelementptr ([6 x i8], [6 x i8]* @result, i64 0, i64 0), double %v${index})`,
  );
  return `${declarations.join('\n')}
define i32 @main() {
  %slot = alloca double
  %block = bitcast double* %slot to i8*
${calls.join('\n')}
  ret i32 0
}`;
}
