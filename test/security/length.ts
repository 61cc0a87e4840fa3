/** Whether the long form was asked for, as `npm run test:security` does. */
export const IS_LONG = process.env.FARJIT_SECURITY === 'long';

/** A count for the long form, and one that shows that it works. */
export function rounds(short: number, long: number): number {
  return IS_LONG ? long : short;
}
