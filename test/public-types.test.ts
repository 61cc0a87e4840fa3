import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { unexportedTypes } from './public-types.js';

const PACKAGES = fileURLToPath(new URL('../../packages/', import.meta.url));

test('every type that what is exported names is exported', (t) => {
  t.timeout(120_000);
  const unexported = unexportedTypes([join(PACKAGES, 'compiler'), join(PACKAGES, 'protocol')]);
  t.deepEqual(
    unexported.map(({ name, namedBy, file }) => `${name} of ${file}, named by ${namedBy}`),
    [],
  );
});
