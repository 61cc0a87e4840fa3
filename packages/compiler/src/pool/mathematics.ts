/** Mathematics of `double`: functions of every process that leave nothing behind in it for others to find. */
export const MATHEMATICS: ReadonlySet<string> = new Set([
  ...['acos', 'acosh', 'asin', 'asinh', 'atan', 'atan2', 'atanh', 'cbrt', 'ceil', 'copysign', 'cos', 'cosh'],
  ...['erf', 'erfc', 'exp', 'exp2', 'expm1', 'fabs', 'fdim', 'floor', 'fma', 'fmax', 'fmin', 'fmod', 'hypot'],
  ...['log', 'log10', 'log1p', 'log2', 'logb', 'nearbyint', 'nextafter', 'pow', 'remainder', 'rint', 'round'],
  ...['sin', 'sinh', 'sqrt', 'tan', 'tanh', 'tgamma', 'trunc'],
]);
