/** One program in the languages of all who run it. */
export interface Program {
  /** Kaleidoscope; ends with the one expression that is evaluated. */
  readonly kaleidoscope: string;
  /**
   * LLVM assembly that every LLVM since 14 reads. `main` makes the same call and returns 0 when the value is
   * `expected`.
   */
  readonly ir: string;
  /** What the expression evaluates to. */
  readonly expected: number;
}

/**
 * `functionCount` functions, each calling the next and adding 1; the first is called once.
 *
 * The last comes first, because the tutorial's toys know only what is defined already.
 * @param prefix of the functions' names, so that one session can have several chains.
 */
export function chain(functionCount: number, prefix = 'f'): Program {
  const indices = Array.from({ length: functionCount }, (_, index) => functionCount - 1 - index);
  const isLast = (index: number) => index === functionCount - 1;
  const kaleidoscope = indices.map((index) =>
    isLast(index)
      ? `def ${prefix}${index}(x) x + 1;`
      : `def ${prefix}${index}(x) ${prefix}${index + 1}(x) + 1;`,
  );
  const ir = indices.map((index) =>
    isLast(index)
      ? `define double @${prefix}${index}(double %x) {\n  %sum = fadd double %x, 1.0\n  ret double %sum\n}\n`
      : `define double @${prefix}${index}(double %x) {
  %next = call double @${prefix}${index + 1}(double %x)
  %sum = fadd double %next, 1.0
  ret double %sum
}
`,
  );
  return {
    kaleidoscope: `${kaleidoscope.join('\n')}\n${prefix}0(0);\n`,
    ir: `${ir.join('\n')}\n${main(`${prefix}0`, [0], functionCount)}`,
    expected: functionCount,
  };
}

/** Fibonacci by double recursion: nothing but calls. */
export function fib(n: number): Program {
  const expected = Array.from({ length: n }).reduce<[number, number]>(([a, b]) => [b, a + b], [0, 1])[0];
  return {
    kaleidoscope: `def fib(n) if n < 2 then n else fib(n - 1) + fib(n - 2);\nfib(${n});\n`,
    ir: `define double @fib(double %n) {
entry:
  %small = fcmp ult double %n, 2.0
  br i1 %small, label %done, label %recurse
recurse:
  %n1 = fadd double %n, -1.0
  %f1 = call double @fib(double %n1)
  %n2 = fadd double %n, -2.0
  %f2 = call double @fib(double %n2)
  %sum = fadd double %f1, %f2
  ret double %sum
done:
  ret double %n
}

${main('fib', [n], expected)}`,
    expected,
  };
}

/** Iterations after which a point counts as inside the Mandelbrot set. */
const ITERATION_LIMIT = 255;
const POINTS_PER_LINE = 78;

/**
 * Iterations summed over `lineCount` lines of points of the Mandelbrot set, without printing any: floating point in
 * a loop, and one call a point.
 */
export function mandelbrot(lineCount: number): Program {
  const step = 2.6 / lineCount;
  let expected = 0;
  for (let line = 0; line < lineCount; line++)
    for (let column = 0; column < POINTS_PER_LINE; column++)
      expected += escapeTime(-2.3 + column * 0.04, -1.3 + line * step);
  return {
    kaleidoscope: `def escape(cr ci)
  var zr = 0, zi = 0, n = 0, t = 0 in
    (for i = 0, (if zr*zr + zi*zi < 4 then n < ${ITERATION_LIMIT} else 0) in
      ((t = zr*zr - zi*zi + cr) + (zi = 2*zr*zi + ci) + (zr = t) + (n = n + 1)))
    + n;
def lines(count)
  var sum = 0, y = 0, x = 0 in
    (for l = 0, y < count in
      (x = 0) + (for c = 0, x < ${POINTS_PER_LINE} in
        (sum = sum + escape(0-2.3 + x*0.04, 0-1.3 + y*${step})) + (x = x + 1)) + (y = y + 1))
    + sum;
lines(${lineCount});
`,
    ir: mandelbrotIR(lineCount, step, expected),
    expected,
  };
}

function escapeTime(cr: number, ci: number): number {
  let [zr, zi, n] = [0, 0, 0];
  do {
    [zr, zi] = [zr * zr - zi * zi + cr, 2 * zr * zi + ci];
    n++;
  } while (zr * zr + zi * zi < 4 && n < ITERATION_LIMIT);
  return n;
}

function mandelbrotIR(lineCount: number, step: number, expected: number): string {
  return `define double @escape(double %cr, double %ci) {
entry:
  br label %loop
loop:
  %zr = phi double [ 0.0, %entry ], [ %zr.next, %loop ]
  %zi = phi double [ 0.0, %entry ], [ %zi.next, %loop ]
  %n = phi double [ 0.0, %entry ], [ %n.next, %loop ]
  %zr2 = fmul double %zr, %zr
  %zi2 = fmul double %zi, %zi
  %difference = fsub double %zr2, %zi2
  %zr.next = fadd double %difference, %cr
  %twice = fmul double 2.0, %zr
  %product = fmul double %twice, %zi
  %zi.next = fadd double %product, %ci
  %n.next = fadd double %n, 1.0
  %real2 = fmul double %zr.next, %zr.next
  %imag2 = fmul double %zi.next, %zi.next
  %norm = fadd double %real2, %imag2
  %inside = fcmp olt double %norm, 4.0
  %below = fcmp olt double %n.next, ${ITERATION_LIMIT}.0
  %again = and i1 %inside, %below
  br i1 %again, label %loop, label %done
done:
  ret double %n.next
}

define double @lines(double %count) {
entry:
  br label %line
line:
  %y = phi double [ 0.0, %entry ], [ %y.next, %line.end ]
  %sum.line = phi double [ 0.0, %entry ], [ %sum.next, %line.end ]
  %y.scaled = fmul double %y, ${step}
  %ci = fadd double -1.3, %y.scaled
  br label %point
point:
  %x = phi double [ 0.0, %line ], [ %x.next, %point ]
  %sum = phi double [ %sum.line, %line ], [ %sum.next, %point ]
  %x.scaled = fmul double %x, 0.04
  %cr = fadd double -2.3, %x.scaled
  %n = call double @escape(double %cr, double %ci)
  %sum.next = fadd double %sum, %n
  %x.next = fadd double %x, 1.0
  %more.points = fcmp olt double %x.next, ${POINTS_PER_LINE}.0
  br i1 %more.points, label %point, label %line.end
line.end:
  %y.next = fadd double %y, 1.0
  %more.lines = fcmp olt double %y.next, %count
  br i1 %more.lines, label %line, label %done
done:
  ret double %sum.next
}

${main('lines', [lineCount], expected)}`;
}

function main(callee: string, args: readonly number[], expected: number): string {
  const values = args.map((value) => `double ${value.toFixed(1)}`).join(', ');
  return `define i32 @main() {
  %value = call double @${callee}(${values})
  %right = fcmp oeq double %value, ${expected.toFixed(1)}
  %code = select i1 %right, i32 0, i32 1
  ret i32 %code
}
`;
}
