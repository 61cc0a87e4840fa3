// Not a test: a compiler that is killed from outside in the middle of a call.
import { KaleidoscopeJIT } from '@farjit/compiler';
import { FarJITError } from '@farjit/protocol/errors';

const jit = await KaleidoscopeJIT.create();
await jit.addSource('def spin(x) for i = 0, 1 in x;');
const spin = await jit.lookup('spin');
const call = spin(1);
while ((await jit.executorStatus()).callsInFlight === 0);
process.stdout.write(
  `${JSON.stringify({ executor: jit.localExecutorProcessId, runner: jit.runner.processId })}\n`,
);
const codeOf = (error: unknown) => (error instanceof FarJITError ? error.code : String(error));
const first = await call.then(() => 'a value', codeOf);
const second = await spin(1).then(() => 'a value', codeOf);
process.stdout.write(`${first}, then ${second}\n`);
