import test from 'ava';
import type { WritableModule } from '../../src/kaleidoscope/load-irgen.js';
import { generateIR, IRPipeline } from '../../src/layers/ir-pipeline.js';
import { writeBitcode } from '../../src/llvm/bitcode.js';
import { modulePool } from '../kaleidoscope/bindings.js';
import { RecordingCompileLayer, TARGET } from './recording-compile-layer.js';

/** A module with an empty function. */
function generateEmpty(onDiscard: () => void = () => {}): WritableModule {
  const modules = modulePool();
  const { module, addFunction, discard } = modules.acquire();
  addFunction('f', modules.doubleFunctionType(0));
  return {
    write: () => ({ form: 'bitcode', bytes: writeBitcode(module) }),
    discard: () => {
      onDiscard();
      discard();
    },
  };
}

test("what is compiled is bitcode for the executor, with the names that are the program's own", async (t) => {
  const layer = new RecordingCompileLayer();
  const pipeline = new IRPipeline(layer, TARGET, 2);
  const compiled = await pipeline.compile('m', () => generateEmpty(), {
    programDefined: ['fabs'],
  });
  t.deepEqual(compiled.object, new Uint8Array([1]));
  const { irgenMs, bitcodeMs, ...rest } = compiled.timings;
  t.true(irgenMs >= 0 && bitcodeMs >= 0);
  t.deepEqual(rest, { parseMs: 3, passesMs: 4, emitMs: 5 });
  const [input] = layer.inputs;
  t.is(input?.name, 'm');
  t.deepEqual(input?.target, TARGET);
  t.is(input?.optLevel, 2);
  t.deepEqual(input?.programDefined, ['fabs']);
  t.is(Buffer.from(input?.ir.bytes ?? []).toString('latin1', 0, 2), 'BC');
});

test('bitcode that somebody else made goes through as it is', async (t) => {
  const layer = new RecordingCompileLayer();
  const pipeline = new IRPipeline(layer, TARGET, 0);
  const bitcode = new Uint8Array([0x42, 0x43]);
  const { timings } = await pipeline.compileBitcode('m', bitcode);
  t.deepEqual(layer.inputs[0]?.ir, { form: 'bitcode', bytes: bitcode });
  t.is(timings.irgenMs + timings.bitcodeMs, 0);
});

test('the module is given back before it is compiled', async (t) => {
  const layer = new RecordingCompileLayer();
  const pipeline = new IRPipeline(layer, TARGET, 1);
  const order: string[] = [];
  layer.onCompile = () => order.push('compiled');
  await pipeline.compile('m', () => generateEmpty(() => order.push('discarded')));
  t.deepEqual(order, ['discarded', 'compiled']);
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
  const { ir } = generateIR(() => generateEmpty());
  t.is(await pipeline.print('m', ir, 'asm', { programDefined: ['g'] }), 'asm of m');
  t.is(layer.inputs[0]?.optLevel, 3);
  t.deepEqual(layer.inputs[0]?.programDefined, ['g']);
});
