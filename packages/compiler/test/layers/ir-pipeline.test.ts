import test from 'ava';
import llvm from 'llvm-bindings';
import { ModulePool, type PooledModule } from '../../src/kaleidoscope/module-pool.js';
import { generateBitcode, IRPipeline } from '../../src/layers/ir-pipeline.js';
import { RecordingCompileLayer, TARGET } from './recording-compile-layer.js';

/** A module with an empty function. */
function generateEmpty(modules: ModulePool): PooledModule {
  const target = modules.acquire();
  const type = llvm.FunctionType.get(llvm.Type.getVoidTy(modules.context), [], false);
  const fn = target.addFunction('f', type);
  modules.builder.SetInsertPoint(llvm.BasicBlock.Create(modules.context, 'entry', fn));
  modules.builder.CreateRetVoid();
  return target;
}

test('the compile layer is not asked for before something is compiled', async (t) => {
  let asked = 0;
  const layer = new RecordingCompileLayer();
  const pipeline = new IRPipeline(
    async () => {
      asked++;
      return layer;
    },
    TARGET,
    2,
  );
  t.is(asked, 0);
  await pipeline.compile('m', () => generateEmpty(new ModulePool()));
  t.is(asked, 1);
});

test("what is compiled is bitcode for the executor, with the names that are the program's own", async (t) => {
  const layer = new RecordingCompileLayer();
  const pipeline = new IRPipeline(async () => layer, TARGET, 2);
  const compiled = await pipeline.compile('m', () => generateEmpty(new ModulePool()), {
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
  t.is(Buffer.from(input?.bitcode ?? []).toString('latin1', 0, 2), 'BC');
});

test('bitcode that somebody else made goes through as it is', async (t) => {
  const layer = new RecordingCompileLayer();
  const pipeline = new IRPipeline(async () => layer, TARGET, 0);
  const bitcode = new Uint8Array([0x42, 0x43]);
  const { timings } = await pipeline.compileBitcode('m', bitcode);
  t.is(layer.inputs[0]?.bitcode, bitcode);
  t.is(timings.irgenMs + timings.bitcodeMs, 0);
});

test('the module is given back before it is compiled', async (t) => {
  const layer = new RecordingCompileLayer();
  const pipeline = new IRPipeline(async () => layer, TARGET, 1);
  const order: string[] = [];
  layer.onCompile = () => order.push('compiled');
  const modules = new ModulePool();
  await pipeline.compile('m', () => {
    const { module, discard } = generateEmpty(modules);
    return {
      module,
      discard: () => {
        order.push('discarded');
        discard();
      },
    };
  });
  t.deepEqual(order, ['discarded', 'compiled']);
});

test('a generator that fails rejects, and nothing is compiled', async (t) => {
  const layer = new RecordingCompileLayer();
  const pipeline = new IRPipeline(async () => layer, TARGET, 1);
  const generate = () => {
    throw new Error('means nothing');
  };
  await t.throwsAsync(pipeline.compile('m', generate), { message: 'means nothing' });
  t.deepEqual(layer.inputs, []);
});

test('a compile layer that cannot be had rejects, and is asked for again', async (t) => {
  const layer = new RecordingCompileLayer();
  let asked = 0;
  const pipeline = new IRPipeline(
    async () => {
      if (++asked === 1) throw new Error('no libLLVM');
      return layer;
    },
    TARGET,
    1,
  );
  await t.throwsAsync(
    pipeline.compile('m', () => generateEmpty(new ModulePool())),
    { message: 'no libLLVM' },
  );
  await t.notThrowsAsync(pipeline.compile('m', () => generateEmpty(new ModulePool())));
});

test('modules are printed by the compile layer', async (t) => {
  const layer = new RecordingCompileLayer();
  const pipeline = new IRPipeline(async () => layer, TARGET, 3);
  const { bitcode } = generateBitcode(() => generateEmpty(new ModulePool()));
  t.is(await pipeline.print('m', bitcode, 'asm', { programDefined: ['g'] }), 'asm of m');
  t.is(layer.inputs[0]?.optLevel, 3);
  t.deepEqual(layer.inputs[0]?.programDefined, ['g']);
});
