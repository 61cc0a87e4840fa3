import test from 'ava';
import { IRBuilder } from '../../src/ir/ir-builder.js';
import { FunctionType, VOID } from '../../src/ir/types.js';
import { generateIR, IRPipeline } from '../../src/layers/ir-pipeline.js';
import { RecordingCompileLayer, TARGET } from './recording-compile-layer.js';

/** A module with a function that is declared. */
function generateOne(): IRBuilder {
  const ir = new IRBuilder();
  ir.addFunction('f', new FunctionType(VOID, []));
  return ir;
}

test("what is compiled is for the executor, with the names that are the program's own", async (t) => {
  const layer = new RecordingCompileLayer();
  const pipeline = new IRPipeline(layer, TARGET, 2);
  const compiled = await pipeline.compile('m', generateOne, {
    programDefined: ['fabs'],
  });
  t.deepEqual(compiled.object, new Uint8Array([1]));
  const { irgenMs, ...rest } = compiled.timings;
  t.true(irgenMs >= 0);
  t.deepEqual(rest, { parseMs: 3, passesMs: 4, emitMs: 5 });
  const [input] = layer.inputs;
  t.is(input?.name, 'm');
  t.deepEqual(input?.target, TARGET);
  t.is(input?.optLevel, 2);
  t.deepEqual(input?.programDefined, ['fabs']);
  t.deepEqual(input?.ir, { form: 'recording', bytes: generateOne().finish() });
});

test('bitcode that somebody else made goes through as it is', async (t) => {
  const layer = new RecordingCompileLayer();
  const pipeline = new IRPipeline(layer, TARGET, 0);
  const bitcode = new Uint8Array([0x42, 0x43]);
  const { timings } = await pipeline.compileBitcode('m', bitcode);
  t.deepEqual(layer.inputs[0]?.ir, { form: 'bitcode', bytes: bitcode });
  t.is(timings.irgenMs, 0);
});

test('a generator that fails rejects, and nothing is compiled', async (t) => {
  const layer = new RecordingCompileLayer();
  const pipeline = new IRPipeline(layer, TARGET, 1);
  const generate = () => {
    throw new Error('means nothing');
  };
  await t.throwsAsync(pipeline.compile('m', generate), { message: 'means nothing' });
  t.deepEqual(layer.inputs, []);
});

test('modules are printed by the compile layer', async (t) => {
  const layer = new RecordingCompileLayer();
  const pipeline = new IRPipeline(layer, TARGET, 3);
  const { ir } = generateIR(generateOne);
  t.is(await pipeline.print('m', ir, 'asm', { programDefined: ['g'] }), 'asm of m');
  t.is(layer.inputs[0]?.optLevel, 3);
  t.deepEqual(layer.inputs[0]?.programDefined, ['g']);
});
