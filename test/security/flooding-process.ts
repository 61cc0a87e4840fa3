// Floods an executor: node flooding-process.js URL WHAT, until it is killed. WHAT is one of `REQUEST_FLOODS` or `RUNNER_FLOODS`, or `for(;;)`.
import { setPriority } from 'node:os';
import { addCode, openRaw, PARTS_AT_ONCE, REQUEST_FLOODS, RUNNER_FLOODS } from './floods.js';

const [url = '', what = ''] = process.argv.slice(2);
/** `for (;;)`: a jump to itself. */
const ENDLESS = Uint8Array.of(0xeb, 0xfe);
const AT_ONCE = 200;

process.once('disconnect', () => process.exit());
// As from another machine: what floods takes nothing from whom it floods but by its requests.
setPriority(19);
const raw = await openRaw(url);
if (what === 'for(;;)') {
  const call = await addCode(raw, ENDLESS);
  process.send?.('ready');
  await call();
} else {
  const ask = await { ...REQUEST_FLOODS, ...RUNNER_FLOODS }[what]?.(raw);
  if (!ask) throw new Error(`there is no flood ${what}`);
  process.send?.('ready');
  const atOnce = what === 'parts' ? PARTS_AT_ONCE : AT_ONCE;
  for (let done = 0; !raw.connection.isClosed; done += atOnce)
    await Promise.allSettled(Array.from({ length: atOnce }, (_, i) => ask(done + i)));
}
