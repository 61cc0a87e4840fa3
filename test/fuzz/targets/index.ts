import type { TargetFactory } from '../target.js';
import { bitstream } from './bitstream.js';
import { decoder } from './decoder.js';
import { elf } from './elf.js';
import { lexer } from './lexer.js';
import { linker } from './linker.js';
import { parser } from './parser.js';

/** Everything that is fuzzed, in the order of `npm run fuzz`. */
export const TARGETS: readonly TargetFactory[] = [decoder, elf, linker, lexer, parser, bitstream];
