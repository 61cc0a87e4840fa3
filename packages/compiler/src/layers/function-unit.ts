import type { Call } from '../session/call-edges.js';
import { MaterializationUnit, type ObjectSource } from '../session/materialization-unit.js';
import { type SymbolFlagsMap, strongSymbols } from '../session/symbol-flags.js';
import type { FunctionLayer } from './function-layer.js';

/** A unit that defines one function of a front end's. */
export class FunctionUnit<Body extends object> extends MaterializationUnit {
  /** That made it, and alone knows what to do with its body. */
  readonly layer: FunctionLayer<Body>;
  readonly body: Body;

  constructor(
    layer: FunctionLayer<Body>,
    name: string,
    body: Body,
    source: ObjectSource,
    calls: readonly Call[],
  ) {
    super(name, source, strongSymbols([name]), calls);
    this.layer = layer;
    this.body = body;
  }
}

/** What a unit that defines nothing for others defines. */
export const NO_SYMBOLS: SymbolFlagsMap = new Map();
