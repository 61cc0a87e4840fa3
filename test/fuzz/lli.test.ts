import { KaleidoscopeJIT } from '@farjit/compiler';
import test from 'ava';
import { printfDouble } from '#compiler/src/cli/double-text.js';
import { OperatorTable } from '#compiler/src/frontends/kaleidoscope/operators.js';
import { parseSource } from '#compiler/src/frontends/kaleidoscope/parser.js';
import { SourceText } from '#compiler/src/frontends/kaleidoscope/source-text.js';
import { findLLI, runWithLLI } from './lli.js';
import { randomProgram } from './programs.js';
import { Random } from './random.js';
import { interpret, TooLong } from './reference-interpreter.js';

/** `FARJIT_LLI_PROGRAMS=2000` takes some minutes. */
const PROGRAM_COUNT = Number(process.env.FARJIT_LLI_PROGRAMS ?? 20);

function parse(text: string) {
  return parseSource(new SourceText('program', text), new OperatorTable()).items;
}

/** As `printd` prints it; nothing defines the sign of a NaN. */
function lines(values: readonly number[]): string {
  return values.map((value) => `${printfDouble(value)}\n`.replace('-nan', 'nan')).join('');
}

for (const lli of findLLI())
  test.serial(`${PROGRAM_COUNT} random programs do what ${lli} does`, async (t) => {
    t.timeout(3_600_000);
    let printed = '';
    const jit = await KaleidoscopeJIT.create({
      onOutput: (_stream, content) => {
        printed += Buffer.from(content).toString();
      },
    });
    t.teardown(() => jit.close());
    let comparedCount = 0;
    for (let number = 0; comparedCount < PROGRAM_COUNT; number++) {
      const { definitions, expressions } = randomProgram(new Random(1_000_000 + number));
      const text = `${definitions}\n${expressions}`;
      const items = parse(text);
      try {
        // Only to leave out what takes too long.
        interpret(items);
      } catch (error) {
        if (error instanceof TooLong) continue;
        throw error;
      }
      const expected = await runWithLLI(lli, items);
      printed = '';
      const results = await jit.addSource(text);
      const values = results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason));
      t.deepEqual(values, [...expected.values], text);
      t.is(printed.replaceAll('-nan', 'nan'), lines(expected.printed), text);
      comparedCount++;
    }
  });

test('a program that does something else is told apart', async (t) => {
  const [lli] = findLLI();
  if (!lli) return t.log('there is no lli');
  const source = 'extern printd(x); def f(x) printd(x) + x * 2; f(3); f(0) < 1;';
  t.deepEqual(await runWithLLI(lli, parse(source)), { values: [6, 1], printed: [3, 0] });
});
