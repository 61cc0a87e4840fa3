import { fileURLToPath } from 'node:url';
import type { FrontEnd } from '@farjit/compiler';

export interface CalculatorFunction {
  readonly name: string;
}

/** As `examples/calculator.mjs` exports it. */
export interface Calculator extends FrontEnd<CalculatorFunction> {
  parse(line: string): CalculatorFunction;
  parseExpression(text: string): CalculatorFunction;
  declare(name: string, parameterCount: number): void;
}

export const CALCULATOR_FILE = fileURLToPath(new URL('../../examples/calculator.mjs', import.meta.url));

/** A language beside Kaleidoscope. */
export const { Calculator } = (await import(CALCULATOR_FILE)) as { Calculator: new () => Calculator };
