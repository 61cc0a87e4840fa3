const DECIMALS = 6;

/**
 * A double as C's `printf("%f")` writes it: six decimals, exact digits however large, ties to even, `inf`, `-inf`,
 * `nan`, and `-nan` for a NaN whose sign bit is set (x86 makes such of `inf - inf`).
 */
export function printfDouble(value: number): string {
  return (isNegative(value) ? '-' : '') + magnitude(Math.abs(value));
}

function isNegative(value: number): boolean {
  // Only the bits tell -0 from 0 and -nan from nan.
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getUint8(0) >= 0x80;
}

function magnitude(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  // From here on toFixed writes an exponent; every such double is an integer.
  if (value >= 1e21) return `${BigInt(value)}.${'0'.repeat(DECIMALS)}`;
  // Half a unit of the sixth decimal is 1/2^7 times an odd number of 5^-6: only odd multiples of 1/128 can be ties,
  // which C rounds to even and toFixed away from zero.
  const in128ths = value * 128;
  if (in128ths % 2 !== 1) return value.toFixed(DECIMALS);
  const millionths = (BigInt(in128ths) * 15_625n) >> 1n;
  const digits = String(millionths + (millionths & 1n)).padStart(DECIMALS + 1, '0');
  return `${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS)}`;
}

/**
 * The shortest decimal that reads back the same, without an exponent: Kaleidoscope's numbers have none. What is not finite is written
 * as `printfDouble` does.
 */
export function shortestDecimal(value: number): string {
  if (!Number.isFinite(value)) return printfDouble(value);
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(doubleText(value)) ?? [];
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  const padded = digits.padEnd(point, '0');
  return point >= padded.length ? sign + padded : `${sign}${padded.slice(0, point)}.${padded.slice(point)}`;
}

/** As short as it can be read back exactly: what JavaScript makes of it, with the sign of a zero. */
export function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** In JSON, which has no numbers that are not finite: those are the texts "Infinity", "-Infinity" and "NaN". */
export function doubleJSON(value: number): string {
  const text = doubleText(value);
  return Number.isFinite(value) ? text : `"${text}"`;
}
