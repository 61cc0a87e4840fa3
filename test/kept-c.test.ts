import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddCOptions } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { openJIT } from './jit-fixture.js';

/** A cache, and a directory of headers. */
function folders(t: ExecutionContext) {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-kept-c-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  const cacheDir = mkdtempSync(join(tmpdir(), 'farjit-kept-c-cache-'));
  t.teardown(() => rmSync(cacheDir, { recursive: true, force: true }));
  /** What the source's `f` gives in a JIT of its own, whether its bitcode was found, and clang's words. */
  const run = async (source: string, options: AddCOptions = {}) => {
    const { jit } = await openJIT(t, { cacheDir });
    const hits: string[] = [];
    let words = '';
    const unsubscribe = jit.subscribe((event) => {
      if (event.type === 'cache-hit' && event.unit === 'f.cpp') hits.push(event.type);
    });
    const onWarnings = (said: string) => {
      words += said;
    };
    await jit.addC(source, { name: 'f.cpp', language: 'c++', directory, onWarnings, ...options });
    unsubscribe();
    const result = await (await jit.lookup('f', 'i32()'))();
    await jit.close();
    return { result, isKept: hits.length > 0, words };
  };
  return { write, run };
}

const SOURCE = `#include "value.h"
#if __has_include("other.h")
#include "other.h"
#else
#define MORE 0
#endif
extern "C" int f() { return VALUE + MORE; }`;

test('what clang has made of C++ is kept, until a header changes, comes or goes, or an option does', async (t) => {
  const { write, run } = folders(t);
  write('value.h', '#define VALUE 1');
  t.deepEqual(await run(SOURCE), { result: 1, isKept: false, words: '' });
  t.deepEqual(await run(SOURCE), { result: 1, isKept: true, words: '' });
  write('value.h', '#define VALUE 2');
  t.deepEqual(await run(SOURCE), { result: 2, isKept: false, words: '' });
  write('other.h', '#define MORE 40');
  t.deepEqual(await run(SOURCE), { result: 42, isKept: false, words: '' });
  t.deepEqual(await run(SOURCE), { result: 42, isKept: true, words: '' });
  t.false((await run(SOURCE, { flags: ['-O2'] })).isKept);
  // What an option names may be read later.
  for (let i = 0; i < 2; i++) t.false((await run(SOURCE, { flags: ['-I', '.'] })).isKept);
});

test('warnings are said again, and errors are clang’s of the source itself', async (t) => {
  const { write, run } = folders(t);
  write('value.h', '#define VALUE 1');
  const source = `${SOURCE}\n#define BAD int g() { int x; return x; }\nBAD`;
  const flags = ['-Wuninitialized'];
  const { words } = await run(source, { flags });
  t.regex(words, /f\.cpp:9:1: warning: variable 'x' is uninitialized.*expanded from macro 'BAD'/s);
  t.deepEqual(await run(source, { flags }), { result: 1, isKept: true, words });
  await t.throwsAsync(run(`${SOURCE}\nint h() { return VALUE + y; }`), {
    code: 'C_SOURCE',
    message:
      /^f\.cpp:8:26: error: use of undeclared identifier 'y'\n {2}int h\(\) \{ return VALUE \+ y; \}|^f\.cpp:8:26: error/,
  });
});
