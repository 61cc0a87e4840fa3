/** One program in the languages of all who run it as a process. */
export interface Program {
  /** Kaleidoscope; ends with the one expression that is evaluated. */
  readonly kaleidoscope: string;
  /** Names of the functions that are called. */
  readonly called: readonly string[];
  /**
   * LLVM assembly that every LLVM since 14 reads, where a peer runs it. `main` makes the same call and returns 0 when
   * the value is `expected`.
   */
  readonly ir: string | undefined;
  /** What the expression evaluates to. */
  readonly expected: number;
}

/** The same function of one double in Kaleidoscope and in C, with work to do. */
export interface WorkProgram {
  readonly functionName: string;
  readonly argument: number;
  /** What the function makes of the argument. */
  readonly expected: number;
  readonly kaleidoscope: string;
  readonly c: string;
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
    called: indices.map((index) => `${prefix}${index}`),
    ir: `${ir.join('\n')}\n${main(`${prefix}0`, [0], functionCount)}`,
    expected: functionCount,
  };
}

/** As `chain`, but called from the last one down: a shorter chain has the same functions as the start of a longer one. */
export function countdownChain(functionCount: number): Program {
  const names = Array.from({ length: functionCount }, (_, index) => `f${index}`);
  const definitions = names.map((name, index) =>
    index === 0 ? `def ${name}(x) x + 1;` : `def ${name}(x) f${index - 1}(x) + 1;`,
  );
  return {
    kaleidoscope: `${definitions.join('\n')}\nf${functionCount - 1}(0);\n`,
    called: names,
    ir: undefined,
    expected: functionCount,
  };
}

/**
 * `definedCount` functions, of which the first `calledCount` are a chain; nobody refers to the others.
 */
export function mostlyUncalled(definedCount: number, calledCount: number): Program {
  const called = chain(calledCount);
  const others = Array.from(
    { length: definedCount - calledCount },
    (_, index) => `def other${index}(x) x + ${index};`,
  );
  return {
    ...called,
    kaleidoscope: `${others.join('\n')}${others.length > 0 ? '\n' : ''}${called.kaleidoscope}`,
  };
}

/**
 * `levelCount` functions, each with a condition that chooses one of two others; only what is chosen is called. Who
 * guesses that both are is wrong half of the time.
 */
export function branches(levelCount: number): Program {
  const levels = Array.from({ length: levelCount }, (_, index) => index).reverse();
  const kaleidoscope = levels.flatMap((index) => [
    `def left${index}(x) x + 1;`,
    index === levelCount - 1
      ? `def right${index}(x) x + 1;`
      : `def right${index}(x) if x < 0 then left${index + 1}(x) else right${index + 1}(x) + 1;`,
  ]);
  return {
    kaleidoscope: `${kaleidoscope.join('\n')}\nright0(0);\n`,
    called: levels.map((index) => `right${index}`),
    ir: undefined,
    expected: levelCount,
  };
}

/** Fibonacci by double recursion: nothing but calls. */
export function fib(n: number): WorkProgram {
  const expected = Array.from({ length: n }).reduce<[number, number]>(([a, b]) => [b, a + b], [0, 1])[0];
  return {
    functionName: 'fib',
    argument: n,
    expected,
    kaleidoscope: 'def fib(n) if n < 2 then n else fib(n - 1) + fib(n - 2);\n',
    c: 'double fib(double n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }\n',
  };
}

/** Iterations after which a point counts as inside the Mandelbrot set. */
const ITERATION_LIMIT = 255;
const POINTS_PER_LINE = 78;
const POINT_STEP = 0.05;
const HEIGHT = 2.6;

/**
 * The tutorial's Mandelbrot set with its operators, its recursion instead of a loop, and the iterations added up where
 * it prints characters: nothing but small functions that call each other.
 */
export function mandelbrot(lineCount: number): WorkProgram {
  const lineStep = HEIGHT / lineCount;
  let expected = 0;
  for (let line = 0; line < lineCount; line++)
    for (let column = 0; column < POINTS_PER_LINE; column++)
      expected += escapeTime(column * POINT_STEP - 2.3, line * lineStep - 1.3);
  return {
    functionName: 'mandelbrot',
    argument: lineCount,
    expected,
    kaleidoscope: `def binary> 10 (l r) r < l;
def binary| 5 (l r) if l then 1 else if r then 1 else 0;
def binary: 1 (x y) y;
def converger(real imag iters creal cimag)
  if iters > ${ITERATION_LIMIT} | (real*real + imag*imag > 4) then iters
  else converger(real*real - imag*imag + creal, 2*real*imag + cimag, iters + 1, creal, cimag);
def converge(real imag) converger(real, imag, 0, real, imag);
def mandelbrot(lines)
  var sum = 0, x = 0, y = 0 in
    (for l = 0, y < lines in
      (x = 0) : (for c = 0, x < ${POINTS_PER_LINE} in
        (sum = sum + converge(x*${POINT_STEP} - 2.3, y*${lineStep} - 1.3)) : (x = x + 1)) : (y = y + 1))
    : sum;
`,
    c: `static double greater(double l, double r) { return r < l; }
static double or(double l, double r) { return l != 0 ? 1 : r != 0 ? 1 : 0; }
static double converger(double real, double imag, double iters, double creal, double cimag) {
  if (or(greater(iters, ${ITERATION_LIMIT}), greater(real * real + imag * imag, 4)) != 0) return iters;
  return converger(real * real - imag * imag + creal, 2 * real * imag + cimag, iters + 1, creal, cimag);
}
static double converge(double real, double imag) { return converger(real, imag, 0, real, imag); }
double mandelbrot(double lines) {
  double sum = 0, x, y = 0;
  do {
    x = 0;
    do {
      sum = sum + converge(x * ${POINT_STEP} - 2.3, y * ${lineStep} - 1.3);
      x = x + 1;
    } while (x < ${POINTS_PER_LINE});
    y = y + 1;
  } while (y < lines);
  return sum;
}
`,
  };
}

function escapeTime(creal: number, cimag: number): number {
  let [real, imag, iters] = [creal, cimag, 0];
  while (!(iters > ITERATION_LIMIT || real * real + imag * imag > 4)) {
    [real, imag] = [real * real - imag * imag + creal, 2 * real * imag + cimag];
    iters++;
  }
  return iters;
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
