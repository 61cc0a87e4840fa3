// Not a test: a compiler whose program calls functions that were not compiled before, one after the other, until
// something is killed. Then it says which errors its calls ended with. Its executor is its own, or the one that listens at
// the URL it is given.
import { KaleidoscopeJIT } from '@farjit/compiler';
import { FarJITError } from '@farjit/protocol/errors';

const [, , url] = process.argv;
const jit = await KaleidoscopeJIT.create({ optLevel: 0, ...(url && { executor: { url } }) });
await jit.addSource('def c0(x) x;');
await (await jit.lookup('c0'))(1);
process.stdout.write(
  `${JSON.stringify({ executor: jit.localExecutorProcessId, runner: jit.runner.processId })}\n`,
);
const codes: string[] = [];
for (let i = 1; codes.length < 2; i++) {
  try {
    await jit.addSource(`def c${i}(x) c${i - 1}(x) + 1;`);
    const value = await (await jit.lookup(`c${i}`))(0);
    if (value !== i) throw new Error(`c${i}(0) is ${value}`);
  } catch (error) {
    codes.push(error instanceof FarJITError ? error.code : String(error));
  }
}
await jit.close();
process.stdout.write(`${codes.join(', then ')}\n`);
