import { createHash } from 'node:crypto';
import test from 'ava';
import { CODEGEN_VERSION } from '../../src/cache/object-keys.js';
import { generateCallWrapper, generateMainWrapper } from '../../src/calls/call-wrapper.js';
import { implementationName } from '../../src/core/materialization-unit.js';
import { modulePipeline, passPipeline } from '../../src/llvm/pass-pipeline.js';
import { generate } from '../frontends/kaleidoscope/generate.js';
import { functionsOf, parse } from '../frontends/kaleidoscope/parse.js';
import { TUTORIAL_PROGRAMS } from '../frontends/kaleidoscope/tutorial-programs.js';

/** Of what `CODEGEN_VERSION` stands for. When this test fails, the version has to grow, and this to change with it. */
const GENERATED = { version: 10, digest: '0e885c888e0c31ed' };

/** Of every function of the tutorial's programs and of wrappers what makes their IR, and the pass pipelines. */
function digestOfGenerated(): string {
  const hash = createHash('sha256');
  for (const { text } of TUTORIAL_PROGRAMS) {
    const prototypes = new Map(
      parse(text).items.map((item) => {
        const prototype = item.kind === 'extern' ? item.prototype : item.function.prototype;
        return [prototype.name, prototype] as const;
      }),
    );
    for (const fn of functionsOf(text)) {
      const { name, parameters } = fn.prototype;
      const request = {
        function: fn,
        implementationName: implementationName(name),
        withEntry: parameters.length === 0,
      };
      hash.update(generate([request], (callee) => prototypes.get(callee)).finish());
    }
  }
  hash.update(generateCallWrapper({ result: 'double', parameters: ['double', 'i32', 'ptr'] }).finish());
  hash.update(
    generateCallWrapper({ result: 'void', parameters: ['i1', 'i8', 'i16', 'i64', 'float'] }).finish(),
  );
  hash.update(generateMainWrapper().finish());
  for (const majorVersion of [14, 22])
    for (const level of ['first', 0, 1, 2, 3] as const)
      for (const pipeline of [passPipeline, modulePipeline]) hash.update(pipeline({ majorVersion }, level));
  return hash.digest('hex').slice(0, 16);
}

test('what is generated changes only with its version: old objects must not be found for new code', (t) => {
  t.deepEqual({ version: CODEGEN_VERSION, digest: digestOfGenerated() }, GENERATED);
});
