import test, { type ExecutionContext } from 'ava';
import { ObjectCache } from '../../src/cache/object-cache.js';
import { programKey } from '../../src/cache/object-keys.js';
import { SessionCache } from '../../src/cache/session-cache.js';
import { LibLLVMError } from '../../src/llvm/errors.js';
import { entry, folder, keyOf } from './folder.js';

const LIBRARY = process.execPath;
const PROGRAM = 'def f(x) x';

function sessionIn(directory: string, program: string | undefined = PROGRAM): SessionCache {
  return new SessionCache({ directory, program, codegen: 2, libLLVMPath: () => LIBRARY });
}

/** Puts objects and a program's note there. */
function prepare(t: ExecutionContext, noted: readonly number[]): string {
  const directory = folder(t);
  const cache = new ObjectCache({ directory });
  for (const n of noted) cache.add(keyOf(n), entry(n).content);
  cache.add(
    programKey(PROGRAM, () => LIBRARY, 2),
    Buffer.concat(noted.map(keyOf)),
  );
  cache.close();
  return directory;
}

test('a program has been seen when it was run before, with the same options', (t) => {
  const directory = prepare(t, [1]);
  t.true(sessionIn(directory).hasSeenProgram);
  t.false(sessionIn(directory, 'def g(x) x').hasSeenProgram);
  const other = new SessionCache({ directory, program: PROGRAM, codegen: 3, libLLVMPath: () => LIBRARY });
  t.false(other.hasSeenProgram);
  t.false(new SessionCache({ directory, codegen: 2, libLLVMPath: () => LIBRARY }).hasSeenProgram);
});

test('a session notes its program once it is over', (t) => {
  const directory = folder(t);
  const first = sessionIn(directory);
  t.false(first.hasSeenProgram);
  first.close();
  const second = sessionIn(directory);
  t.true(second.hasSeenProgram);
  second.close();
});

test('without LLVM there is no program that was seen, and no error', (t) => {
  const directory = prepare(t, [1]);
  const session = new SessionCache({
    directory,
    program: PROGRAM,
    codegen: 2,
    libLLVMPath: () => {
      throw new LibLLVMError('there is no LLVM');
    },
  });
  t.false(session.hasSeenProgram);
  t.notThrows(() => session.readAhead());
  t.notThrows(() => session.close());
});
