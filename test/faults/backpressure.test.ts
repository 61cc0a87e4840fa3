import { setTimeout as delay } from 'node:timers/promises';
import { KaleidoscopeJIT } from '@farjit/compiler';
import test from 'ava';
import { socketUrl, startExecutor } from '../executor-process.js';
import { parseAssembly } from '../ir-module.js';
import { eventually } from '../jit-fixture.js';
import { residentKiB } from '../proc.js';

const MIB = 1024 * 1024;
const PRINTED_BYTES = 128 * MIB;
const WRITE_BYTES = 64 * 1024;
/** What an executor may grow by for a compiler that does not read, with room for what V8 has not collected. */
const MOST_KIB = 80 * 1024;

/** Writes so many blocks to standard output. */
const WRITER = `
@block = internal global [${WRITE_BYTES} x i8] zeroinitializer
declare i64 @write(i32, i8*, i64)
define double @print_blocks(double %count) {
entry:
  %n = fptosi double %count to i64
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %j, %next ]
  %p = getelementptr [${WRITE_BYTES} x i8], [${WRITE_BYTES} x i8]* @block, i64 0, i64 0
  %w = call i64 @write(i32 1, i8* %p, i64 ${WRITE_BYTES})
  %j = add i64 %i, 1
  %more = icmp slt i64 %j, %n
  br i1 %more, label %next, label %done
done:
  ret double %count
}`;

test.serial(
  'a compiler that stops reading costs its executor bounded memory, and loses nothing',
  async (t) => {
    const { child, url } = await startExecutor(t, socketUrl(t), ['--heartbeat=0.2']);
    const host = child.pid ?? 0;
    let receivedBytes = 0;
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const jit = await KaleidoscopeJIT.create({
      executor: { url, heartbeatMs: 200 },
      onOutput: (_stream, content) => {
        receivedBytes += content.byteLength;
        // Until it resolves nothing is read from the connection.
        return held;
      },
    });
    t.teardown(() => jit.close());
    await jit.addModule(parseAssembly(WRITER));
    const print = await jit.lookup('print_blocks');
    const beforeKiB = residentKiB(host);
    const count = PRINTED_BYTES / WRITE_BYTES;
    const call = print(count);
    await eventually(() => receivedBytes > 0, 'output comes');
    let mostKiB = 0;
    // Several heartbeats: a compiler that holds back is not taken for lost.
    for (let i = 0; i < 30; i++) {
      await delay(50);
      mostKiB = Math.max(mostKiB, residentKiB(host) - beforeKiB);
    }
    const whileHeldBytes = receivedBytes;
    t.true(whileHeldBytes < PRINTED_BYTES / 2, `${whileHeldBytes} bytes while nothing was read`);
    t.true(mostKiB < MOST_KIB, `${mostKiB} KiB`);
    release();
    t.is(await call, count);
    t.is(receivedBytes, PRINTED_BYTES);
    t.log(`${Math.round(mostKiB / 1024)} MiB more in the executor`);
  },
);
