// `node cache-user.js DIRECTORY NUMBER`: many short sessions on one cache directory. Ends with 1 when something is found
// that is not what was stored, or when a session cannot use the directory.
import { CacheDirectory } from '../../src/cache/cache-directory.js';
import { ObjectCache } from '../../src/cache/object-cache.js';
import { entry } from './folder.js';

const SESSIONS = 60;
const MAX_BYTES = 4000;

const [directory = '', user = '0'] = process.argv.slice(2);
for (let session = 0; session < SESSIONS; session++) {
  const cache = new ObjectCache({ directory, maxBytes: MAX_BYTES });
  cache.listen((event) => {
    if (event.type === 'cache-unusable') throw new Error(event.reason);
    if (event.type === 'cache-damaged') throw new Error('something is damaged');
  });
  for (let n = 0; n < 4; n++) {
    const { key, content } = entry((session * 7 + Number(user) + n) % 40);
    const found = cache.find(key, 'f', (bytes) => bytes);
    if (!found) cache.add(key, content);
    else if (Buffer.compare(found, content) !== 0) throw new Error('something else was found');
  }
  cache.close();
  if (session % 20 === 19) {
    const cleared = CacheDirectory.open(directory);
    for (const { name, isPack } of cleared.files()) if (isPack) cleared.remove(name);
    cleared.close();
  }
}
