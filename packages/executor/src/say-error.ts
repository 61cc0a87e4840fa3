/** Says what is wrong, with a prefix on each line, since settings say a line for each thing that is. */
export function sayError(words: string): void {
  process.stderr.write(words.trimEnd().replaceAll(/^/gm, 'farjit-executor: error: ').concat('\n'));
}

/** What commander says of a wrong command line: `error: WORDS`, and perhaps what was meant. */
export function sayUsage(text: string): void {
  process.stderr.write(`farjit-executor: ${text}`);
}
