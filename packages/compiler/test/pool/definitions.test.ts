import test from 'ava';
import { FUNCTION } from '../../src/core/symbol-flags.js';
import type { JIT } from '../../src/jit/jit.js';
import { resourceTracker } from '../../src/jit/resource-tracker.js';
import { Definitions } from '../../src/pool/definitions.js';

test('a session that has ended is neither asked nor told when something is removed', (t) => {
  const [one, other] = [{}, {}] as JIT[];
  if (!one || !other) return t.fail();
  const sessions = [one, other];
  const definitions = new Definitions<JIT>(() => sessions);
  const happened: string[] = [];
  const tracker = definitions.add({
    name: 'f.bc',
    symbols: new Map([['f', FUNCTION]]),
    add: (session) =>
      resourceTracker({
        names: () => ['f'],
        checkRemovable: () => happened.push(`asked ${session === one ? 'one' : 'other'}`),
        remove: () => happened.push(`told ${session === one ? 'one' : 'other'}`),
      }),
  });
  sessions.shift();
  definitions.forget(one);
  tracker.remove();
  t.deepEqual(happened, ['asked other', 'told other']);
});
