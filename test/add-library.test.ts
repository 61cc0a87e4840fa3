import { LibraryNotLoadedError } from '@farjit/compiler';
import test from 'ava';
import { openJIT } from './jit-fixture.js';

test('a library that was preloaded is there, under any of its names', async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  for (const path of ['libstdc++.so.6', '/usr/lib/x86_64-linux-gnu/libstdc++.so.6', 'libc.so.6'])
    await t.notThrowsAsync(jit.addLibrary(path));
  t.truthy(await jit.findSymbol('_Znwm'));
});

test('one that was not is refused, in words that name the option', async (t) => {
  const { jit } = await openJIT(t);
  const error = await t.throwsAsync(jit.addLibrary('/usr/lib/libnone.so'), {
    instanceOf: LibraryNotLoadedError,
  });
  t.is(error?.code, 'LIBRARY_NOT_LOADED');
  t.is(error?.path, '/usr/lib/libnone.so');
  t.regex(error?.message ?? '', /JIT\.create\(\{ local: \{ preload: \['\/usr\/lib\/libnone\.so'\] \} \}\)/);
  // Part of a name is no name.
  await t.throwsAsync(jit.addLibrary('libc.s'), { instanceOf: LibraryNotLoadedError });
  await t.throwsAsync(jit.addLibrary(''), { code: 'BAD_ARGUMENT' });
});

test('a library is there although a runner was lost', async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  const abort = await jit.lookup('abort', { result: 'void', parameters: [] });
  await t.throwsAsync(abort(), { code: 'RUNNER_LOST' });
  await t.notThrowsAsync(jit.addLibrary('libstdc++.so.6'));
  await t.throwsAsync(jit.addLibrary('libnone.so'), { instanceOf: LibraryNotLoadedError });
});
