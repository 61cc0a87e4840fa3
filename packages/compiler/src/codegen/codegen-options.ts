import { anyFunction, checkArgument, nameText, optionsOf, timerMs, wholeNumber } from '../core/arguments.js';

/** How a `CodegenPool` works. */
export interface CodegenPoolOptions {
  /** Finds the path of the libLLVM to load, when a process is started. Default: `FARJIT_LIBLLVM`, else the newest. */
  readonly libLLVM?: () => string;
  /** Most processes at a time. Default: one for each core that this process may use. */
  readonly size?: number;
  /** Path of `farjit-codegen`. Default: the one that `npm run build` makes. */
  readonly program?: string;
  /** Milliseconds that one module may take before its process is ended, a 40th with guesses in it: 120,000 unless given. */
  readonly limitMs?: number;
  /** Milliseconds without work after which all processes but one are ended. Default 1000. */
  readonly restMs?: number;
}

/** More than any machine has cores for. */
const MAX_PROCESSES = 4096;

const size = wholeNumber(1, MAX_PROCESSES);
/** How many there are and how long each may take, as sessions are told. */
export const CODEGEN_OPTION_SCHEMAS = { codegenProcesses: size, codegenLimitMs: timerMs };
const CODEGEN_POOL_OPTIONS = optionsOf<CodegenPoolOptions>({
  libLLVM: anyFunction,
  size,
  program: nameText,
  limitMs: timerMs,
  restMs: timerMs,
});

/** @throws {ArgumentError} for what are no options of a pool of code generators. */
export function checkCodegenPoolOptions(options: CodegenPoolOptions): void {
  checkArgument(CODEGEN_POOL_OPTIONS, options, 'options');
}
