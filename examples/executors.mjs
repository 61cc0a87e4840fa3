// One compiler, many executors: define once, and divide data between them. Run it with `node examples/executors.mjs`, which
// starts two executors of its own, or with the URLs of running ones (and FARJIT_TOKEN, where they want a token).
import { connectExecutors } from '@farjit/compiler';

const urls = process.argv.slice(2);
const token = process.env.FARJIT_TOKEN;
const pool = await connectExecutors(urls.length > 0 ? urls : ['local', 'local'], token ? { token } : {});

// A definition reaches all of them, and those that join later.
await pool.addSource(`
  def square(x) x * x;
  def norm(x y) square(x) + square(y);
`);

// Chunks go to executors as they become free; results come in the order of the data.
const x = Float64Array.from({ length: 200_000 }, (_, index) => index / 1000);
const y = x.map((value) => 100 - value);
const norms = await pool.map('norm', { columns: [x, y] }, { chunk: 10_000 });
console.log(norms.length, norms[0], norms[100_000]);

// A redefinition reaches all of them too.
await pool.addSource('def square(x) x;');
const sums = await pool.map('norm', { columns: [x, y] }, { chunk: 10_000 });
console.log(sums.every((sum) => Math.abs(sum - 100) < 1e-9));

// Each loop was compiled once, however many executors have the same CPU.
const chunkCount = pool.executors.reduce((total, { chunks }) => total + chunks, 0);
console.log({ chunkCount, targets: new Set(pool.executors.map(({ target }) => target.cpuFeatures)).size });
console.log({ loopsCompiled: pool.statistics().loopsCompiled });

await pool.close();
