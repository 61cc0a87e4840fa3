import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import WebSocket from 'ws';
import { eventually } from './jit-fixture.js';
import { decodeTrace, type Packet } from './perfetto.js';

/** Debian's, Ubuntu's and Chrome's own. */
const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Answers of the DevTools protocol, over one WebSocket. */
class DevTools {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number | string, (value: Record<string, unknown>) => void>();
  #count = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      const { id, method, result, params, error } = JSON.parse(String(data));
      this.#waiting.get(id ?? method)?.(result ?? params ?? { error });
    });
  }

  send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#count;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return this.next(id);
  }

  /** An answer, or an event of that name. */
  next(key: number | string): Promise<Record<string, unknown>> {
    return new Promise((resolve) => this.#waiting.set(key, resolve));
  }
}

/** A trace that Chromium has written of itself. */
async function chromiumTrace(program: string, directory: string): Promise<Buffer> {
  const child = spawn(
    program,
    [
      ...[
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--remote-debugging-port=0',
      ],
      ...[`--user-data-dir=${directory}`, 'about:blank'],
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    const portFile = join(directory, 'DevToolsActivePort');
    await eventually(
      () => existsSync(portFile) && readFileSync(portFile, 'utf8').includes('\n'),
      'it listens',
    );
    const [port, path] = readFileSync(portFile, 'utf8').split('\n');
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const tools = new DevTools(socket);
    const traceConfig = { includedCategories: ['*'] };
    await tools.send('Tracing.start', { transferMode: 'ReturnAsStream', streamFormat: 'proto', traceConfig });
    await tools.send('Target.createTarget', {
      url: 'data:text/html,<script>for (let i = 0; i < 1e5; i++);</script>',
    });
    const complete = tools.next('Tracing.tracingComplete');
    await tools.send('Tracing.end');
    const { stream } = await complete;
    const pieces: Buffer[] = [];
    for (let isLast = false; !isLast; ) {
      const { data, base64Encoded, eof } = await tools.send('IO.read', { handle: stream });
      pieces.push(Buffer.from(String(data), base64Encoded ? 'base64' : 'latin1'));
      isLast = eof !== false;
    }
    socket.close();
    return Buffer.concat(pieces);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

test('the declaration that traces are written by reads a trace that Chromium has written', async (t) => {
  t.timeout(180_000);
  const program = PROGRAMS.find((path) => existsSync(path));
  if (!program) {
    t.log('skipped: there is no Chromium here; apt-get install chromium');
    return t.pass();
  }
  const directory = mkdtempSync(join(tmpdir(), 'farjit-chromium-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const packets: readonly Packet[] | undefined = await decodeTrace(await chromiumTrace(program, directory));
  if (!packets) {
    t.log('skipped: protobufjs is not installed; npm run setup');
    return t.pass();
  }
  const events = packets.flatMap(({ trackEvent }) => trackEvent ?? []);
  t.true(events.length > 100, `${events.length} events`);
  // Later releases have more types than this declaration says.
  const known = events.filter(({ type = 0 }) => type <= 4).length;
  t.true(known > 0.9 * events.length, `${known} of ${events.length}`);
  const begun = events.filter(({ type }) => type === 1).length;
  t.true(begun > 10, `${begun} slices`);
  t.true(
    events.some(({ flowIds, terminatingFlowIds }) => flowIds || terminatingFlowIds),
    'flows',
  );
  const names = new Set(
    packets.flatMap(({ internedData }) => internedData?.eventNames?.map(({ name }) => name) ?? []),
  );
  t.true(names.size > 10);
  t.true(
    [...names].some((name) =>
      /^(ThreadControllerImpl::RunTask|RunTask|ThreadPool_RunTask)$/.test(name ?? ''),
    ),
    [...names].slice(0, 20).join(),
  );
  const descriptors = packets.flatMap(({ trackDescriptor }) => trackDescriptor ?? []);
  t.true(descriptors.some(({ process }) => (process?.pid ?? 0) > 0));
  t.true(descriptors.some(({ thread }) => (thread?.tid ?? 0) > 0 && (thread?.threadName ?? '') !== ''));
  t.true(descriptors.every(({ uuid }) => /^\d+$/.test(uuid ?? '')));
  const clocks = packets.flatMap(({ clockSnapshot }) => clockSnapshot?.clocks ?? []);
  t.true(clocks.some(({ clockId }) => clockId === 3 || clockId === 6));
});
