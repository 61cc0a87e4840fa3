// `node shared-store-user.js DIRECTORY SECRET NUMBER HOW`: a compiler that shares objects in a directory with others.
//   many     leaves 25 entries of its own, a session each
//   endless  leaves entries until it is killed
//   small, large   finds entry 1, leaves one, and writes what it was told and whether it found it
import { ObjectCache } from '../../src/cache/object-cache.js';
import { storeKey } from '../../src/cache/store-key.js';
import { entry, keyOf } from './folder.js';

const OWN_ENTRIES = 25;
const LARGE_BYTES = 100_000;

const [directory = '', secret = '', user = '0', how = 'many'] = process.argv.slice(2);
const number = Number(user);
const types: string[] = [];

function session(work: (cache: ObjectCache) => void): void {
  const cache = new ObjectCache({ store: { directory, key: storeKey(secret) } });
  cache.listen(({ type }) => types.push(type));
  work(cache);
  void cache.close();
}

function leave(cache: ObjectCache, n: number, sizeBytes?: number): void {
  cache.add(keyOf(n), entry(n, sizeBytes).content);
}

if (how === 'many') {
  for (let n = 0; n < OWN_ENTRIES; n++) session((cache) => leave(cache, number * OWN_ENTRIES + n));
  if (types.some((type) => type !== 'cache-stored')) throw new Error(types.join(' '));
} else if (how === 'endless') {
  process.send?.('begun');
  for (let n = 0; ; n++) session((cache) => leave(cache, n, LARGE_BYTES));
} else {
  let found = false;
  session((cache) => {
    found = cache.find(keyOf(1), '1', (content) => content) !== undefined;
    leave(cache, number * 100, how === 'large' ? LARGE_BYTES : undefined);
  });
  process.stdout.write(JSON.stringify({ types, found }));
}
