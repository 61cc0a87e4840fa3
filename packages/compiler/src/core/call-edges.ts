/** That a function calls another, for those who guess what is called next. */
export interface Call {
  readonly callee: string;
  /** Whether every run that ends makes it. */
  readonly isCertain: boolean;
}

/** Functions that calls name, each once. */
export function calleesOf(calls: readonly Call[]): string[] {
  return calls.length < 2
    ? calls.map(({ callee }) => callee)
    : [...new Set(calls.map(({ callee }) => callee))];
}
