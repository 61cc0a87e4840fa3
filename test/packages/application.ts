// What somebody makes of the packages: `npm run test:packages` compiles it with their types and runs it with their code.
import { FarJITError, KaleidoscopeJIT } from 'farjit';

const jit = await KaleidoscopeJIT.create();
try {
  await jit.addSource('def square(x) x * x;');
  const square = await jit.lookup('square');
  console.log(await square(7));
  const missing = await jit.lookup('missing').catch((error: unknown) => error);
  console.log(missing instanceof FarJITError);
} finally {
  await jit.close();
}
