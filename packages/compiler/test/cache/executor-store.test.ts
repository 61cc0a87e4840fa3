import { objects, type ParamsOf } from '@farjit/protocol';
import test from 'ava';
import { type AskExecutor, ExecutorStore } from '../../src/cache/executor-store.js';
import { storeKey } from '../../src/cache/store-key.js';
import type { CacheEvent } from '../../src/observe/events.js';
import { entry, keyOf } from './folder.js';

const KEY = storeKey('what the compilers share, and nobody else');
const wordOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** What an executor holds, as it would if it did as it should; `change` says what it does. */
class Holder {
  readonly contents = new Map<string, Uint8Array>();
  readonly asked: string[] = [];
  /** What it says of an object that it holds. */
  lie: (key: Uint8Array, content: Uint8Array) => Uint8Array | undefined = (_key, content) => content;

  readonly ask: AskExecutor = async (type, params) => {
    this.asked.push(type.method);
    return this.#answer(type.method, params) as never;
  };

  #answer(method: string, params: unknown): unknown {
    switch (method) {
      case 'listObjects':
        return {
          prefixes: Buffer.concat(
            [...this.contents.keys()].map((key) => Buffer.from(key, 'hex').subarray(0, 8)),
          ),
        };
      case 'findObjects': {
        const { keys } = params as ParamsOf<typeof objects.findObjects>;
        const found = keys.flatMap((key) => {
          const content = this.contents.get(wordOf(key));
          const said = content && this.lie(key, content);
          return said ? [{ key, content: said }] : [];
        });
        return { objects: found, answered: keys.length };
      }
      default:
        for (const { key, content } of (params as ParamsOf<typeof objects.keepObjects>).objects)
          this.contents.set(wordOf(key), content);
        return {};
    }
  }
}

async function openOn(holder: Holder, key = KEY) {
  const events: CacheEvent[] = [];
  const store = await ExecutorStore.open(holder.ask, key, (event) => events.push(event));
  return { store, types: () => events.map(({ type }) => type) };
}

/** A holder with what one compiler has left. */
async function holderOf(...numbers: number[]): Promise<Holder> {
  const holder = new Holder();
  const { store } = await openOn(holder);
  for (const n of numbers) store.add(keyOf(n), entry(n).content);
  await store.close();
  holder.asked.length = 0;
  return holder;
}

test('what is not there is not asked for, and what is comes in one message', async (t) => {
  const holder = await holderOf(1, 2, 3);
  const { store } = await openOn(holder);
  t.is(store.fetch(keyOf(9), []), undefined);
  t.is(store.find(keyOf(1)), undefined);
  await Promise.all([store.fetch(keyOf(1), [keyOf(3)]), store.fetch(keyOf(2), [])]);
  for (const n of [1, 2, 3])
    t.deepEqual(Buffer.from(store.find(keyOf(n)) ?? []), Buffer.from(entry(n).content));
  t.deepEqual(holder.asked, ['listObjects', 'findObjects']);
});

const LIES: Readonly<Record<string, Holder['lie']>> = {
  changed: (_key, content) => Buffer.from(content).fill(7, 40),
  'cut off': (_key, content) => content.subarray(0, content.length - 1),
  'without a seal': (_key, content) => content.subarray(32),
  empty: () => new Uint8Array(),
  'gone after all': () => undefined,
};
for (const [how, lie] of Object.entries(LIES))
  test(`an object that is ${how} is a miss, and asked for once`, async (t) => {
    const holder = await holderOf(1);
    holder.lie = lie;
    const { store, types } = await openOn(holder);
    await store.fetch(keyOf(1), []);
    t.is(store.find(keyOf(1)), undefined);
    // Whoever wants it makes it, and leaves it again.
    t.is(store.fetch(keyOf(1), []), undefined);
    t.deepEqual(types(), how.startsWith('gone') ? [] : ['cache-damaged']);
    store.add(keyOf(1), entry(1).content);
    await store.close();
    holder.lie = (_key, content) => content;
    const next = await openOn(holder);
    await next.store.fetch(keyOf(1), []);
    t.truthy(next.store.find(keyOf(1)));
  });

test('an object that was sealed under one key is not found under another', async (t) => {
  const holder = await holderOf(1, 2);
  const other = holder.contents.get(wordOf(keyOf(2)));
  holder.lie = (_key, content) => other ?? content;
  const { store, types } = await openOn(holder);
  await Promise.all([store.fetch(keyOf(1), []), store.fetch(keyOf(2), [])]);
  t.is(store.find(keyOf(1)), undefined);
  t.truthy(store.find(keyOf(2)));
  t.deepEqual(types(), ['cache-damaged']);
});

test('who has another key seals nothing that is found', async (t) => {
  const holder = new Holder();
  const forger = await openOn(holder, storeKey('what others share, and is as long as it should be'));
  forger.store.add(keyOf(1), entry(1).content);
  await forger.store.close();
  const { store } = await openOn(holder);
  await store.fetch(keyOf(1), []);
  t.is(store.find(keyOf(1)), undefined);
});

test('an executor that fails is told of once, and asked no more', async (t) => {
  const holder = await holderOf(1);
  const { store, types } = await openOn(holder);
  holder.lie = () => {
    throw new Error('the connection is lost');
  };
  await store.fetch(keyOf(1), []);
  t.false(store.isUsable);
  t.is(store.fetch(keyOf(1), []), undefined);
  store.add(keyOf(2), entry(2).content);
  await store.close();
  t.deepEqual(types(), ['cache-unusable']);
});

test('objects go in messages that fit into a frame, and what fits into none is not sent', async (t) => {
  const holder = await holderOf();
  const { store } = await openOn(holder);
  const large = Buffer.alloc(1.5 * 1024 * 1024);
  for (const n of [1, 2, 3, 4]) store.add(keyOf(n), large);
  store.add(keyOf(5), Buffer.alloc(objects.MAX_OBJECTS_BYTES));
  await store.close();
  t.deepEqual([...holder.contents.keys()].sort(), [1, 2, 3, 4].map((n) => wordOf(keyOf(n))).sort());
  t.is(holder.asked.filter((method) => method === 'keepObjects').length, 4);
});
