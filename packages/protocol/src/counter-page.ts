/*
 * Counters of functions lie in pages of their own in a runner's data memory. The compiler lays them out, and writes the
 * threshold into the first word; counted code in the runner counts in the words after it, and sets the bit of a counter that has
 * got to the threshold.
 */

export const COUNTER_PAGE_BYTES = 4096;
/** At the end of a page: a bit for each of its words. */
export const COUNTER_BITS_BYTES = COUNTER_PAGE_BYTES / 32;
