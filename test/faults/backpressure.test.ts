import { KaleidoscopeJIT } from '@farjit/compiler';
import test from 'ava';
import { isAsleep, settled, steadily } from '#compiler/test/asleep.js';
import { socketUrl, startExecutor } from '../executor-process.js';
import { parseAssembly } from '../ir-module.js';
import { eventually } from '../jit-fixture.js';

const MIB = 1024 * 1024;
const PRINTED_BYTES = 128 * MIB;
const WRITE_BYTES = 64 * 1024;
/** The window of a connection, and what the system has room for. */
const ON_ITS_WAY_BYTES = 32 * MIB;

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
    const { url } = await startExecutor(t, socketUrl(t), ['--heartbeat=0.2']);
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
    const count = PRINTED_BYTES / WRITE_BYTES;
    const call = print(count);
    await eventually(() => receivedBytes > 0, 'output comes');
    const runner = jit.runner.processId;
    // Several heartbeats: a compiler that holds back is not taken for lost.
    await steadily(() => isAsleep(runner), 'the program waits');
    const whileHeldBytes = receivedBytes;
    t.true(whileHeldBytes < ON_ITS_WAY_BYTES, `${whileHeldBytes} bytes while nothing was read`);
    // What comes now was on its way: nothing is printed any more.
    process.kill(runner, 'SIGSTOP');
    release();
    await settled(() => receivedBytes, 'all that was on its way has come');
    t.log(`${receivedBytes} bytes had been printed`);
    t.true(receivedBytes < ON_ITS_WAY_BYTES, `${receivedBytes} bytes`);
    process.kill(runner, 'SIGCONT');
    t.is(await call, count);
    t.is(receivedBytes, PRINTED_BYTES);
  },
);
