// npm run setup: makes a fresh clone ready to build. Idempotent.
import { runScript } from './lib/report.mjs';
import { setUp } from './lib/set-up.mjs';

await runScript(() => setUp());
