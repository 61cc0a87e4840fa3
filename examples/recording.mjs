// A session that is recorded, and the recording, read: which functions were compiled, and what each callback brought. Run it with
// `node examples/recording.mjs`.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KaleidoscopeJIT, Recording } from '@farjit/compiler';

const folder = await mkdtemp(join(tmpdir(), 'farjit-example-'));
const path = join(folder, 'run.fjrec');

// LLVM makes all of the code, one function at a time.
const jit = await KaleidoscopeJIT.create({ baseline: 'off', speculate: 'off' });
await jit.record(path);
await jit.addSource('def square(x) x * x; def cube(x) x * square(x); def unused(x) x; cube(3);');
await jit.close();

const recording = await Recording.open(path);
for (const event of recording.events) {
  if (event.type === 'module-compiled') {
    const input = recording.artefact(event.input);
    console.log(
      `compiled ${event.unit}, of ${event.inputForm} that ${input.byteLength > 0 ? 'is' : 'is not'} there`,
    );
  }
  if (event.type === 'called') console.log(`called ${event.name}`);
}
console.log(recording.damage ?? 'whole', recording.end ? 'to its end' : '');
await recording.close();
await rm(folder, { recursive: true });
