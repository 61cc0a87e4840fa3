/**
 * Functions of the process that leave nothing behind in it that a later expression could see: what they print is delivered
 * in program order. Mathematics of `double`, and the tutorial's two.
 */
export const STATELESS_FUNCTIONS: ReadonlySet<string> = new Set([
  'putchard',
  'printd',
  ...['acos', 'acosh', 'asin', 'asinh', 'atan', 'atan2', 'atanh', 'cbrt', 'ceil', 'copysign', 'cos', 'cosh'],
  ...['erf', 'erfc', 'exp', 'exp2', 'expm1', 'fabs', 'fdim', 'floor', 'fma', 'fmax', 'fmin', 'fmod', 'hypot'],
  ...['log', 'log10', 'log1p', 'log2', 'logb', 'nearbyint', 'nextafter', 'pow', 'remainder', 'rint', 'round'],
  ...['sin', 'sinh', 'sqrt', 'tan', 'tanh', 'tgamma', 'trunc'],
]);
