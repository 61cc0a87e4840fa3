import type { FunctionAST } from '../../../src/frontends/kaleidoscope/ast.js';
import type { PrototypeLookup } from '../../../src/frontends/kaleidoscope/check-calls.js';
import { KaleidoscopeFrontEnd } from '../../../src/frontends/kaleidoscope/front-end.js';
import type { IRBuilder } from '../../../src/ir/ir-builder.js';
import { type BodyRequest, generateFunctions } from '../../../src/layers/function-module.js';

/** A Kaleidoscope function to emit. */
export type IRGenRequest = BodyRequest<FunctionAST>;

/** A module of Kaleidoscope functions, as the compiler makes it. */
export function generate(requests: readonly IRGenRequest[], prototypeOf: PrototypeLookup): IRBuilder {
  return generateFunctions(new KaleidoscopeFrontEnd(prototypeOf), requests);
}
