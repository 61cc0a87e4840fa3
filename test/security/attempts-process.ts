// Not a test: makes the attempts and writes what happened, so that they can be made as another user too.
import type { SandboxLevel } from '@farjit/protocol/sandbox';
import { attemptAll } from './attempts.js';

const rows = await attemptAll((process.argv[2] ?? 'default') as SandboxLevel);
process.stdout.write(`${JSON.stringify({ user: process.getuid?.(), rows })}\n`);
