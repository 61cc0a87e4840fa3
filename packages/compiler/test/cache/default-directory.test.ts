import test from 'ava';
import { defaultCacheDirectory } from '../../src/cache/default-directory.js';

test('objects are kept where the XDG specification says', (t) => {
  t.is(defaultCacheDirectory({ XDG_CACHE_HOME: '/x', HOME: '/h' }), '/x/farjit');
  t.is(defaultCacheDirectory({ HOME: '/h' }), '/h/.cache/farjit');
  t.is(defaultCacheDirectory({ XDG_CACHE_HOME: '', HOME: '/h' }), '/h/.cache/farjit');
  t.is(defaultCacheDirectory({ XDG_CACHE_HOME: 'relative', HOME: '/h' }), '/h/.cache/farjit');
  t.is(defaultCacheDirectory({}), undefined);
});
