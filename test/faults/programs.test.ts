import { KaleidoscopeJIT, type SessionEvent } from '@farjit/compiler';
import { Server } from '@farjit/executor';
import test from 'ava';
import { parseAssembly } from '../ir-module.js';
import { eventually } from '../jit-fixture.js';
import { FaultProxy } from './fault-proxy.js';

const TOKEN = 'a token';

const CAT = `
declare i64 @read(i32, i8*, i64)
declare i64 @write(i32, i8*, i64)
@byte = global [4096 x i8] zeroinitializer
define i32 @main() {
entry:
  br label %next
next:
  %got = call i64 @read(i32 0, i8* getelementptr ([4096 x i8], [4096 x i8]* @byte, i64 0, i64 0), i64 4096)
  %isEnd = icmp sle i64 %got, 0
  br i1 %isEnd, label %end, label %some
some:
  %put = call i64 @write(i32 1, i8* getelementptr ([4096 x i8], [4096 x i8]* @byte, i64 0, i64 0), i64 %got)
  br label %next
end:
  ret i32 6
}`;

test('a program reads and writes all, in order and once, whenever its connection is lost', async (t) => {
  const server = new Server({ credentials: TOKEN });
  t.teardown(() => server.close());
  const proxy = await FaultProxy.listen(await server.listen('ws://127.0.0.1:0'));
  t.teardown(() => proxy.close());
  const events: SessionEvent[] = [];
  const written: Uint8Array[] = [];
  const jit = await KaleidoscopeJIT.create({
    executor: { url: proxy.url, token: TOKEN },
    onOutput: (_stream, content) => void written.push(content),
    onEvent: (event) => events.push(event),
  });
  t.teardown(() => jit.close());
  await jit.addModule(parseAssembly(CAT));
  const count = (type: SessionEvent['type']) => events.filter((event) => event.type === type).length;

  const read: Buffer[] = [];
  async function* stdin() {
    for (let index = 0; index < 60; index++) {
      // Each number many times, so that a piece that is lost, doubled or late shows.
      const chunk = Buffer.alloc(20_000 + index, index);
      read.push(chunk);
      if (index % 20 === 10) {
        const before = count('connection-lost');
        proxy.cutAll();
        await eventually(() => count('connection-lost') > before, 'the loss is noticed');
      }
      yield chunk;
    }
  }
  t.like(await jit.runProgram({ stdin: stdin() }), { exitCode: 6 });
  t.true(Buffer.concat(written).equals(Buffer.concat(read)));
  t.is(count('connection-lost'), 3);
});
