/*
 * Opens sessions while ever fewer descriptors are left, beside a session that calls all the time. Run by a test in a
 * process of its own with a low limit; prints what became of each attempt.
 */
import { closeSync, openSync } from 'node:fs';
import { Connection, createMemoryTransportPair, memory, run, session } from '@farjit/protocol';
import { createHostResources, Session } from '../src/index.js';
import { storeConstant } from './machine-code.js';
import { commitOf, OPEN, segmentOf } from './session-fixture.js';

const host = createHostResources();

async function open() {
  const [near, far] = createMemoryTransportPair();
  const hosted = new Session({ host, transport: far });
  const connection = new Connection(near);
  connection.start();
  const end = async () => {
    connection.close();
    await hosted.ended;
  };
  try {
    const { runner } = await connection.request(session.openSession, OPEN);
    return {
      connection,
      live: { generation: runner.generation },
      code: runner.memory.code.address,
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

const neighbour = await open();
const { connection, live } = neighbour;
const entry = neighbour.code;
const commit = commitOf({ segments: [segmentOf(entry, 'code', storeConstant(7n))] });
await connection.request(memory.commitMemory, { commit }, live);

const outcomes: string[] = [];
for (let left = 0; left < 24; left++) {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch {
    // There are none left.
  }
  for (const fd of taken.splice(0, left)) closeSync(fd);
  const outcome = await open().then(
    async ({ end }) => {
      await end();
      return 'opened';
    },
    (error: { code?: string }) => error.code ?? String(error),
  );
  for (const fd of taken) closeSync(fd);
  outcomes.push(outcome);
  const { block } = await connection.request(
    run.call,
    { entry, block: new Uint8Array(8), commit: commitOf() },
    live,
  );
  if (block[0] !== 7) throw new Error('the neighbour has called in vain');
}
await neighbour.end();
process.stdout.write(JSON.stringify(outcomes));
