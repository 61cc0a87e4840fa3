import { createHash } from 'node:crypto';
import test from 'ava';
import { CODEGEN_VERSION } from '../../src/cache/object-keys.js';
import { generateCallWrapper, generateMainWrapper } from '../../src/kaleidoscope/call-wrapper.js';
import { IRGenerator } from '../../src/kaleidoscope/irgen.js';
import { passPipeline } from '../../src/layers/pass-pipeline.js';
import { implementationName } from '../../src/session/materialization-unit.js';
import { modulePool } from '../kaleidoscope/bindings.js';
import { functionsOf, parse } from '../kaleidoscope/parse.js';
import { TUTORIAL_PROGRAMS } from '../kaleidoscope/tutorial-programs.js';

/** Of what `CODEGEN_VERSION` stands for. When this test fails, the version has to grow, and this to change with it. */
const GENERATED = { version: 4, digest: '9df501f138c665a8' };

/** IR of every function of the tutorial's programs, of wrappers, and the pass pipelines. */
function generated(): string {
  const modules = modulePool();
  const generator = new IRGenerator(modules);
  const texts: string[] = [];
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
      const { module, discard } = generator.generate([request], (callee) => prototypes.get(callee));
      texts.push(module.print());
      discard();
    }
  }
  const wrappers = [
    generateCallWrapper(modules, { result: 'double', parameters: ['double', 'i32', 'ptr'] }),
    generateCallWrapper(modules, { result: 'void', parameters: ['i1', 'i8', 'i16', 'i64', 'float'] }),
    generateMainWrapper(modules),
  ];
  for (const { module, discard } of wrappers) {
    texts.push(module.print());
    discard();
  }
  for (const majorVersion of [14, 22])
    for (const level of ['first', 0, 1, 2, 3] as const) texts.push(passPipeline({ majorVersion }, level));
  return texts.join('\n');
}

test('what is generated changes only with its version: old objects must not be found for new code', (t) => {
  const digest = createHash('sha256').update(generated()).digest('hex').slice(0, 16);
  t.deepEqual({ version: CODEGEN_VERSION, digest }, GENERATED);
});
