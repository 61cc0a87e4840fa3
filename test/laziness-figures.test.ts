import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGE = readFileSync(`${ROOT}docs/laziness.md`, 'utf8');

/** Of one variant of a thousand functions. */
interface Thousand {
  readonly functionCount: number;
  readonly objectBytes: number;
  readonly callbackCount: number;
  readonly guessedCallbackCount: number;
}

/** A callback, of a chain at one level. */
interface Callback {
  readonly compileCallbacks: number;
  readonly roundTripCount: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

interface Figures {
  readonly machine: { readonly llvm: string };
  readonly thousand: Readonly<Record<string, Thousand>>;
  readonly chain: Readonly<Record<string, Callback>>;
}

const WRITTEN = JSON.parse(readFileSync(`${ROOT}docs/figures/laziness.json`, 'utf8')) as Figures;
const { measure } = (await import(`${ROOT}scripts/lib/laziness/measure.mjs`)) as {
  measure(sampleCount: number): Promise<Figures>;
};
const { withFigures } = (await import(`${ROOT}scripts/lib/laziness/render.mjs`)) as {
  withFigures(page: string, figures: Figures): string;
};

test('the tables of docs/laziness.md are those of the figures', (t) => {
  t.is(withFigures(PAGE, WRITTEN), PAGE, 'npm run docs:figures writes them');
});

test('a table that the page lacks, or that there is not, is named', (t) => {
  t.throws(() => withFigures(PAGE.replace('figures: thousand', 'figures: hundred'), WRITTEN), {
    message: 'there are no figures called hundred',
  });
  t.throws(() => withFigures('# Laziness', WRITTEN), { message: /no place for the figures machine/ });
});

test('what can be counted is as docs/laziness.md says', async (t) => {
  t.timeout(240_000);
  const measured = await measure(1);
  const counted = ({ thousand, chain }: Figures) => ({
    thousand: mapped(thousand, ({ functionCount, callbackCount }) => ({ functionCount, callbackCount })),
    // In pieces, what comes ahead depends on which of two code generators is sooner.
    guessed: ['first-code', 'module'].map((name) => thousand[name]?.guessedCallbackCount),
    chain: mapped(chain, ({ compileCallbacks, roundTripCount }) => ({ compileCallbacks, roundTripCount })),
  });
  t.deepEqual(counted(measured), counted(WRITTEN));

  // The order that the page speaks of.
  const bytes = mapped(measured.thousand, ({ objectBytes }) => objectBytes);
  t.true((bytes['first-code'] ?? 0) < (bytes.pieces ?? 0) && (bytes.pieces ?? 0) < (bytes.module ?? 0) / 10);

  // Another LLVM makes other code.
  if (measured.machine.llvm !== WRITTEN.machine.llvm) return;
  for (const [name, { objectBytes }] of Object.entries(WRITTEN.thousand))
    t.true(isNear(bytes[name], objectBytes), `${name}: ${bytes[name]} bytes, written ${objectBytes}`);
  for (const [level, { bytesSent, bytesReceived }] of Object.entries(WRITTEN.chain)) {
    const now = measured.chain[level];
    t.true(isNear(now?.bytesSent, bytesSent), `${level}: ${now?.bytesSent} bytes, written ${bytesSent}`);
    t.true(isNear(now?.bytesReceived, bytesReceived), level);
  }
});

/** Other CPUs have instructions of other lengths. */
function isNear(bytes = 0, written: number): boolean {
  return Math.abs(bytes - written) <= written / 50;
}

function mapped<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
