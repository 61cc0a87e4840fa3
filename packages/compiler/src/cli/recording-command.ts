import { FarJITError } from '@farjit/protocol/errors';
import { printable } from '@farjit/protocol/printable';
import { Recording } from '../observe/recording/recording.js';
import type { RecordedEvent } from '../observe/recording/recording-format.js';
import type { RecordingReader } from '../observe/recording/recording-reader.js';
import { CommandStreams } from './command-streams.js';
import { errorReport } from './describe-error.js';
import { SourceFileError } from './read-source.js';
import { passesIn } from './recorded-passes.js';
import { inBytes } from './stats-summary.js';

/** `farjit recording`'s options. */
export interface RecordingOptions {
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly artefact?: string;
  readonly passes?: string;
}

/** Columns of CSV; behind them is what only events of some types say, as JSON. */
const COLUMNS = [
  ...['atNs', 'errorNs', 'process', 'processId', 'session', 'generation', 'call', 'callback'],
  ...['thread', 'type', 'unit', 'symbol', 'address', 'sizeBytes'],
] as const;

/**
 * `farjit recording FILE`: what is in it. Of one that is damaged, what stands before the damage.
 * @returns the exit code: 1 for what is no recording, is damaged, or lacks the artefact.
 */
export async function recordingCommand(path: string, options: RecordingOptions): Promise<number> {
  const { json, csv, artefact, passes } = options;
  const streams = new CommandStreams(() => {}, { json });
  try {
    await using recording = await openRecording(path);
    if (artefact !== undefined) await streams.out.write(artefactOf(recording, artefact));
    else if (passes !== undefined) await printPasses(recording, passes, json, streams);
    else if (json) await streams.out.write(jsonOf(recording));
    else if (csv) await streams.out.write(csvOf(recording.events));
    else await streams.out.write(summaryOf(recording));
    if (recording.damage) throw recording.damage;
    return 0;
  } catch (error) {
    await streams.report(errorReport(error));
    return 1;
  }
}

/** @throws {SourceFileError | RecordingError} when it cannot be read, or is none. */
async function openRecording(path: string): Promise<Recording> {
  try {
    return await Recording.open(path);
  } catch (error) {
    throw error instanceof FarJITError ? error : new SourceFileError(path, error);
  }
}

/** @throws {FarJITError} when there is none. */
function artefactOf(recording: RecordingReader, digest: string): Uint8Array {
  const content = recording.artefact(digest.toLowerCase());
  if (content) return content;
  throw new FarJITError('NO_ARTEFACT', `there is no artefact ${digest} in this recording`);
}

/** What each pass has made of a function. @throws {FarJITError} as `passesIn`. */
async function printPasses(
  recording: RecordingReader,
  name: string,
  json: boolean | undefined,
  streams: CommandStreams,
): Promise<void> {
  const { passes, remark } = await passesIn(recording, name);
  if (remark !== undefined) await streams.remark('note', remark);
  for (const dump of passes) {
    const { pass, on, changed, ir } = dump;
    if (json) await streams.out.write(`${JSON.stringify(dump)}\n`);
    else
      await streams.out.write(
        changed ? `; after ${pass} on ${on}\n${ir}\n\n` : `; ${pass} on ${on} changed nothing\n\n`,
      );
  }
}

/** A line for its start, for each event, and for its end. */
function jsonOf({ start, events, end, artefacts }: RecordingReader): string {
  const sizes = Object.fromEntries(artefacts);
  const lines: unknown[] = [
    { recording: { ...start, artefacts: sizes } },
    ...events,
    ...(end ? [{ end }] : []),
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

function csvOf(events: readonly RecordedEvent[]): string {
  const known: ReadonlySet<string> = new Set(COLUMNS);
  const rows = events.map((event) => {
    const others = Object.entries(event).filter(([key]) => !known.has(key));
    return [...COLUMNS.map((column) => event[column] ?? ''), JSON.stringify(Object.fromEntries(others))];
  });
  return [[...COLUMNS, 'details'], ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('');
}

/** As RFC 4180 has it. */
function field(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function summaryOf({ start, events, end, artefacts, unreadBytes }: RecordingReader): string {
  if (!start) return 'nothing has been recorded yet\n';
  const counts = new Map<string, number>();
  for (const { type } of events) counts.set(type, (counts.get(type) ?? 0) + 1);
  const artefactBytes = [...artefacts.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  const lastNs = events.reduce((latest, { atNs }) => Math.max(latest, atNs), 0);
  const rest = unreadBytes > 0 ? `, and ${inBytes(unreadBytes)} of a record that is not whole` : '';
  const rows: [string, string][] = [
    ['begun', start.startedAt],
    ['lasted', `${(lastNs / 1e6).toFixed(3)} ms`],
    ['state', end ? 'ended' : `still written, or its writer has crashed${rest}`],
    ['sources', start.sources.map(({ name }) => printable(name)).join(', ') || 'none'],
    ['target', printable(`${start.target.triple} ${start.target.cpuName}`)],
    ['artefacts', `${artefacts.size}, ${inBytes(artefactBytes)}`],
    ['events', String(events.length)],
    ...[...counts]
      .sort(([, a], [, b]) => b - a)
      .map(([type, count]): [string, string] => [`  ${printable(type)}`, String(count)]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, words]) => `${name.padEnd(width)}  ${words}\n`).join('');
}
