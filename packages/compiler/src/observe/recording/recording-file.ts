import { EventFile, type EventSource } from '../event-file.js';
import type { EventStream } from '../event-stream.js';
import type { SessionEvent } from '../events.js';
import type { RecordingStart } from './recording-format.js';
import { type RecordedSource, RecordingWriter } from './recording-writer.js';

/** All that is recorded: frames are many, and say little beside the rest. */
const RECORDED_EVENTS = [
  'defined',
  'compiled',
  'module-compiled',
  'linked',
  'callback-begun',
  'callback',
  'guessed',
  'guess-failed',
  'linked-ahead',
  'connection-lost',
  'resume-failed',
  'connection-resumed',
  'cache-hit',
  'cache-miss',
  'cache-stored',
  'cache-damaged',
  'cache-unusable',
  'tier-up',
  'tier-up-failed',
  'tier-down',
  'called',
  'removed',
  'runner-started',
  'runner-lost',
  'limit-reached',
  'memory-pressure',
  'output',
  'doorbell',
  'thread-blocked',
  'answer-received',
  'commit-written',
  'thread-released',
  'thread-landed',
  'host-runner-started',
  'host-runner-ended',
  'events-missed',
  'passes-recorded',
] as const satisfies readonly SessionEvent['type'][];

/** Fails to compile when an event is added that is neither recorded nor left out on purpose. */
type Unrecorded = Exclude<SessionEvent['type'], (typeof RECORDED_EVENTS)[number] | 'frame'>;
const _allAreRecorded: Unrecorded extends never ? true : never = true;

/** What is known of a session that is recorded. */
export type RecordedSession = Pick<RecordingStart, 'version' | 'target' | 'optLevel'>;

/** Begins to record a session. @throws {EventFileError} when the file cannot be opened. */
export function openRecordingFile(
  path: string,
  session: EventSource & { readonly events: EventStream },
  about: RecordedSession,
  {
    sources,
    onError,
  }: { readonly sources: readonly RecordedSource[]; readonly onError: (error: Error) => void },
): EventFile {
  const { events } = session;
  const writer = new RecordingWriter({
    start: {
      ...about,
      startedAt: new Date().toISOString(),
      originNs: String(events.originNs),
      session: events.session,
      processId: process.pid,
    },
    sources,
    artefact: (digest) => events.artefacts.get(digest),
  });
  return new EventFile(path, session, writer, {
    types: RECORDED_EVENTS,
    host: true,
    artefacts: true,
    onError,
  });
}
