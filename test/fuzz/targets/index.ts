import type { TargetFactory } from '../target.js';
import { archive } from './archive.js';
import { baseline } from './baseline.js';
import { bitstream } from './bitstream.js';
import { decoder } from './decoder.js';
import { elf } from './elf.js';
import { fileRoot } from './file-root.js';
import { lexer } from './lexer.js';
import { linkGraph } from './link-graph.js';
import { linker } from './linker.js';
import { lyingHost } from './lying-host.js';
import { parser } from './parser.js';
import { program } from './program.js';
import { recording } from './recording.js';
import { hostileRunner } from './runner.js';
import { hostSession } from './session.js';

/** Everything that is fuzzed, in the order of `npm run fuzz`. */
export const TARGETS: readonly TargetFactory[] = [
  decoder,
  elf,
  archive,
  linkGraph,
  recording,
  linker,
  lexer,
  parser,
  bitstream,
  hostSession,
  fileRoot,
  lyingHost,
  hostileRunner,
  program,
  baseline,
];
