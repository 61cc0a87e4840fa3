/** `FARJIT_SECURITY`: `long`, as `npm run test:security` says, or a number of rounds, of which none does more. */
const LENGTH = process.env.FARJIT_SECURITY ?? '';

/** A count for the long form, and one that shows that it works. */
export function rounds(short: number, long: number): number {
  if (LENGTH === 'long') return long;
  return /^[1-9]\d*$/.test(LENGTH) ? Math.min(Number(LENGTH), long) : short;
}
