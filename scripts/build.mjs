// npm run build: the native runner, then TypeScript. Incremental.
import { build } from './lib/build.mjs';
import { runScript } from './lib/report.mjs';

await runScript(() => build());
