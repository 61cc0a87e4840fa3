import { spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  KaleidoscopeJIT,
  Recording,
  RecordingError,
  RecordingReader,
  type SessionEvent,
} from '@farjit/compiler';
import test from 'ava';
import { FARJIT, farjit } from '#compiler/test/cli/run-farjit.js';
import { eventually } from './jit-fixture.js';

const SOURCE = `
  def leaf(x) x + 1;
  def middle(x) leaf(x) * 2;
  def top(x) middle(x) + middle(x + 1);
`;

const directory = mkdtempSync(join(tmpdir(), 'farjit-recording-'));
test.after.always(() => rmSync(directory, { recursive: true }));

/** Records a run, and answers where, and what was heard meanwhile. */
async function recorded(name: string): Promise<{ path: string; heard: SessionEvent[] }> {
  const path = join(directory, name);
  const jit = await KaleidoscopeJIT.create({ optLevel: 0, speculate: 'off', cacheMaxBytes: 0 });
  const heard: SessionEvent[] = [];
  await jit.record(path, { sources: [{ name: 'program.ks', content: Buffer.from(SOURCE) }] });
  jit.subscribe((event) => heard.push(event));
  await jit.addSource(SOURCE);
  await (await jit.lookup('top'))(3);
  await jit.close();
  return { path, heard };
}

test('a recording has every event but frames, in order, and what units were made from and to', async (t) => {
  const { path, heard } = await recorded('whole.fjrec');
  t.is(statSync(path).mode & 0o777, 0o600);
  await using recording = await Recording.open(path);
  const { start, end, events } = recording;
  t.deepEqual(
    events.map(({ type, atNs }) => [type, atNs]),
    heard.filter(({ type }) => type !== 'frame').map(({ type, atNs }) => [type, atNs]),
  );
  t.is(end?.eventCount, events.length);
  t.is(start?.processId, process.pid);
  t.is(start?.optLevel, 0);
  t.regex(start?.target.triple ?? '', /^x86_64-/);
  const [source] = start?.sources ?? [];
  t.is(source?.name, 'program.ks');
  t.is(Buffer.from(recording.artefact(source?.digest ?? '') ?? []).toString(), SOURCE);
  const compiled = events.filter(({ type }) => type === 'module-compiled');
  t.true(['top', 'middle', 'leaf'].every((name) => compiled.some(({ unit }) => unit === name)));
  for (const { input, object, inputBytes, objectBytes, llvmVersion, passes, level } of compiled) {
    t.is(recording.artefact(String(input))?.byteLength, Number(inputBytes));
    t.is(recording.artefact(String(object))?.byteLength, Number(objectBytes));
    t.regex(String(llvmVersion), /^\d+/);
    t.is(typeof passes, 'string');
    t.is(level, '0');
  }
  const linked = events.filter(({ type }) => type === 'linked');
  t.true(linked.length >= compiled.length);
  for (const { bytes, graph, address, segmentBytes } of linked) {
    t.is(recording.artefact(String(bytes))?.byteLength, Number(segmentBytes));
    t.is(
      Buffer.from(recording.artefact(String(graph)) ?? [])
        .subarray(0, 4)
        .toString(),
      'FJLG',
    );
    t.regex(String(address), /^0x[0-9a-f]+$/);
  }
  t.true(events.some(({ type, process }) => type === 'thread-landed' && process === 'runner'));
});

test('a recording is read while it grows, and up to the last whole record after a crash', async (t) => {
  const path = join(directory, 'grows.fjrec');
  const jit = await KaleidoscopeJIT.create({ speculate: 'off', cacheMaxBytes: 0 });
  await jit.record(path);
  await jit.addSource(SOURCE);
  await using recording = await Recording.open(path);
  await (await jit.lookup('top'))(3);
  await eventually(async () => (await recording.readOn()) > 0, 'it grows');
  t.is(recording.end, undefined);
  const before = recording.events.length;
  await jit.close();
  await recording.readOn();
  t.true(recording.events.length > before);
  t.truthy(recording.end);
  const whole = readFileSync(path);
  // Wherever it is cut: what is whole is read, and the rest is not an error.
  for (let bytes = 0; bytes <= whole.byteLength; bytes += 97) {
    const reader = new RecordingReader();
    reader.push(whole.subarray(0, bytes));
    t.is(reader.damage, undefined);
    t.true(reader.unreadBytes >= 0 && reader.events.length <= recording.events.length);
    t.deepEqual(reader.events, recording.events.slice(0, reader.events.length));
    // The rest may come later.
    reader.push(whole.subarray(bytes));
    t.is(reader.events.length, recording.events.length);
  }
  truncateSync(path, whole.byteLength - 3);
  await using cut = await Recording.open(path);
  t.is(cut.end, undefined);
  t.true(cut.unreadBytes > 0);
  t.is(cut.events.length, recording.events.length);
});

test('what is killed leaves a recording that can be read', async (t) => {
  const [source, path] = [join(directory, 'spins.ks'), join(directory, 'killed.fjrec')];
  writeFileSync(source, 'def spin(x) for i = 1, i < x in x;\n1;\nspin(1000000000000000000);');
  const child = spawn(FARJIT, ['run', '--no-cache', '--record', path, '--deadline', '60000', source], {
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await eventually(async () => {
    const recording = await Recording.open(path).catch(() => undefined);
    const count = recording?.events.filter(({ type }) => type === 'called').length ?? 0;
    await recording?.close();
    return count > 0;
  }, 'it has run something');
  child.kill('SIGKILL');
  await ended;
  const { end, stdout } = await farjit(t, ['recording', path]);
  t.is(end, 0);
  t.regex(stdout, /still written, or its writer has crashed/);
});

test('what is damaged says where, and what stands before it is read', async (t) => {
  const { path } = await recorded('damaged.fjrec');
  const bytes = readFileSync(path);
  const at = bytes.indexOf('"type":"called"');
  bytes[at + 9] = 0x58;
  writeFileSync(path, bytes);
  await using recording = await Recording.open(path);
  t.true(recording.damage instanceof RecordingError);
  t.true((recording.damage?.offset ?? 0) > 16 && (recording.damage?.offset ?? 0) <= at);
  t.true(recording.events.length > 0);
  t.false(recording.events.some(({ type }) => type === 'called'));
  const { end, stdout, stderr } = await farjit(t, ['recording', path, '--csv']);
  t.is(end, 1);
  t.true(stdout.split('\r\n').length > recording.events.length);
  t.regex(stderr, /a record is not what was written, at byte \d+ of the recording/);
  await t.throwsAsync(Recording.open(new URL(import.meta.url).pathname), { code: 'RECORDING' });
  const { path: later } = await recorded('later.fjrec');
  const other = readFileSync(later);
  other.writeUInt32LE(2, 8);
  writeFileSync(later, other);
  await t.throwsAsync(Recording.open(later), { message: /it is of version 2, and this release reads 1/ });
});

test('farjit run --record keeps the source, and farjit recording writes JSON, CSV, a summary and artefacts', async (t) => {
  const [source, path] = [join(directory, 'program.ks'), join(directory, 'cli.fjrec')];
  writeFileSync(source, `${SOURCE} top(3);`);
  const ran = await farjit(t, ['run', '--no-cache', '--record', path, source]);
  t.is(ran.end, 0, ran.stderr);
  t.is(statSync(path).mode & 0o777, 0o600);
  const json = await farjit(t, ['recording', path, '--json']);
  const lines = json.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.is(lines[0].recording.sources[0].name, source);
  t.is(lines.at(-1).end.eventCount, lines.length - 2);
  t.true(lines.slice(1, -1).every(({ type, atNs }) => typeof type === 'string' && atNs >= 0));
  const csv = await farjit(t, ['recording', path, '--csv']);
  const rows = csv.stdout.trimEnd().split('\r\n');
  t.is(rows.length, lines.length - 1);
  t.regex(rows[0] ?? '', /^atNs,errorNs,process,processId,session,/);
  const text = await farjit(t, ['recording', path]);
  t.regex(text.stdout, /^state {2,}ended$/m);
  t.regex(text.stdout, /^ {2}callback {2,}\d+$/m);
  const digest = lines[0].recording.sources[0].digest;
  t.is((await farjit(t, ['recording', path, '--artefact', digest])).stdout, `${SOURCE} top(3);`);
  const none = await farjit(t, ['recording', path, '--artefact', '00']);
  t.is(none.end, 1);
  t.regex(none.stderr, /there is no artefact 00 in this recording/);
});

test('IR by pass is made again when it is asked for, or kept', async (t) => {
  const [source, path] = [join(directory, 'passes.ks'), join(directory, 'passes.fjrec')];
  writeFileSync(source, 'def f(x) (x + 1) * (x + 1) + x * 0;\ndef g(x) f(x) + 1;\ng(2);');
  const ran = await farjit(t, ['run', '-O2', '--no-cache', '--record', path, '--record-passes', 'g', source]);
  t.is(ran.end, 0, ran.stderr);
  t.is(ran.stderr, '');
  for (const name of ['f', 'g']) {
    const { end, stdout, stderr } = await farjit(t, ['recording', path, '--passes', name, '--json']);
    t.is(end, 0, stderr);
    const dumps = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    t.true(dumps.length > 10, `${dumps.length} of ${name}`);
    t.true(dumps.some(({ pass }) => /InstCombine/.test(pass)));
    t.true(dumps.filter(({ changed }) => changed).length < dumps.length);
    t.true(dumps.every(({ on, ir }) => on !== name || ir.includes('define')));
    t.true(
      dumps.some(({ ir }) => ir.includes(`@"${name}$impl"`) || ir.includes(`@${name}$impl`)),
      dumps[0].ir,
    );
  }
  await using recording = await Recording.open(path);
  t.deepEqual(
    recording.events.flatMap(({ type, symbol }) => (type === 'passes-recorded' ? [symbol] : [])),
    ['g'],
  );
  const text = await farjit(t, ['recording', path, '--passes', 'f']);
  t.regex(text.stdout, /^; after \S+ on /m);
  t.regex(text.stdout, /changed nothing$/m);
  const none = await farjit(t, ['recording', path, '--passes', 'nobody']);
  t.is(none.end, 1);
  t.regex(none.stderr, /LLVM has not compiled nobody in the run that was recorded/);
});

test('what cannot be read or written says so', async (t) => {
  const nowhere = join(directory, 'no', 'such');
  const written = await farjit(t, ['run', '-e', '1', '--record', nowhere]);
  t.is(written.end, 1);
  t.is(written.stderr, `farjit: error: cannot write ${nowhere}: no such file or directory\n`);
  const read = await farjit(t, ['recording', nowhere]);
  t.is(read.end, 1);
  t.is(read.stderr, `farjit: error: cannot read ${nowhere}: no such file or directory\n`);
});

test('names are what they are, whatever is in them', async (t) => {
  const [source, path] = [join(directory, 'na,"me.c'), join(directory, 'names.fjrec')];
  writeFileSync(source, 'int main(void) { return 0; }');
  const ran = await farjit(t, ['run', '--no-cache', '--record', path, source]);
  t.is(ran.end, 0, ran.stderr);
  const csv = await farjit(t, ['recording', path, '--csv']);
  t.true(csv.stdout.includes('na,""me.c'));
  appendFileSync(path, 'x');
  await using recording = await Recording.open(path);
  t.is(recording.unreadBytes, 1);
});
