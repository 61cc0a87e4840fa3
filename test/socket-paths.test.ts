import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server } from '@farjit/executor';
import test from 'ava';
import { evaluateAll, openJIT } from './jit-fixture.js';

for (const name of [
  'with a space',
  '100%',
  'a%20b',
  'part#1',
  'really?',
  '√2 €',
  'a+b&c=d',
  "it's [1]",
  '\\u0041',
])
  test(`a session over a socket named ${name}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'farjit-path-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, name);
    const server = new Server();
    t.teardown(() => server.close());
    const url = await server.listen(`ws+unix:${path}`);
    t.true(existsSync(path));
    t.is(url, `ws+unix:${path}`);
    for (const written of [url, `ws+unix://${path}`]) {
      const { jit } = await openJIT(t, { executor: { url: written } });
      t.deepEqual(await evaluateAll(jit, '1 + 1;'), [2]);
    }
  });
