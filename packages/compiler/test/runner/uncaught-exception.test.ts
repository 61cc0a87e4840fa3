import test from 'ava';
import { LastWords } from '../../src/runner/uncaught-exception.js';

function uncaughtIn(...chunks: readonly string[]) {
  const words = new LastWords();
  for (const chunk of chunks) words.add(Buffer.from(chunk));
  return words.uncaught;
}

const RAISED = "terminate called after throwing an instance of 'app::Failure<int>'\n";

test('an exception that nobody caught is known by its type, and by its what() where it has one', (t) => {
  t.deepEqual(uncaughtIn(RAISED), { type: 'app::Failure<int>' });
  t.deepEqual(uncaughtIn(`${RAISED}  what():  two\nlines\n`), {
    type: 'app::Failure<int>',
    what: 'two\nlines',
  });
  t.deepEqual(uncaughtIn(`before\n${RAISED}  what():  \n`), { type: 'app::Failure<int>', what: '' });
  // libstdc++ writes it in pieces.
  t.deepEqual(uncaughtIn(...`${RAISED}  what():  boom\n`), { type: 'app::Failure<int>', what: 'boom' });
});

test('what is not the last, or not said in full, tells of no exception', (t) => {
  for (const words of [
    '',
    'terminate called without an active exception\n',
    RAISED.slice(0, -1),
    `${RAISED}and on\n`,
    `${RAISED}  what():  cut`,
  ])
    t.is(uncaughtIn(words), undefined, words);
});

test('what a program writes is escaped, and only its end is kept', (t) => {
  const what = `\u001b[2J\u202ered`;
  t.deepEqual(uncaughtIn(`${RAISED}  what():  ${what}\n`)?.what, '\\u{1b}[2J\\u{202e}red');
  const noise = Array.from({ length: 100 }, () => 'x'.repeat(1000));
  t.deepEqual(uncaughtIn(...noise, RAISED, '  what():  end\n')?.what, 'end');
  t.is(uncaughtIn(RAISED, ...noise), undefined);
  t.is(uncaughtIn(RAISED, '  what():  ', ...noise, '\n'), undefined);
});
