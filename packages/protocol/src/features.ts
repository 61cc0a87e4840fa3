/** Oldest and newest version of the protocol that this build speaks. */
export const PROTOCOL_VERSIONS = { oldest: 2, newest: 2 } as const;

/**
 * What a session may have beside the messages that every session of its version has. Both ends say which they know when a
 * session opens, and use those that both do. A release that adds one says here in words what it is; none is ever taken away, or given
 * another meaning, within a version.
 */
export const FEATURES = {
  'staged-commits': 'commits that are larger than a frame, by `stageCommit`',
  'call-and-read': 'calls that answer with a piece of memory, by `callAndRead`',
  'hot-counters': 'counted code, which `functionsHot` tells of when it has run often',
  'thread-locals':
    'thread-local variables: `threadLocals` of a runner says where there is room, `lookupThreadLocals` where those of libraries are',
  inspection: 'looking into a session, by `sessionStatus` and `runnerMaps`',
  programs: 'whole programs, by `runProgram`, which read what `programInput` brings',
  'host-functions': "functions of the compiler's own, which code calls: `giveHostFunctions` and `callHost`",
  'run-reports': 'what the run of a program has used, by `programUsed`',
  files:
    'files that a runner is given and leaves: `offerFiles`, `sendFile`, `files` of `startRunner`, `listFiles` and `readFile`',
  observation: 'what happens in the host, and when, by `observe`, `readClock` and `hostEvents`',
  'short-runs':
    'runs of programs in five messages: `names` of `startRunner` are answered with their addresses, `input` of `runProgram` is all that is read, and its answer says what was `used` and that the runner is lost',
  'memory-pressure': 'word of memory that is short before anything is refused or ended, by `memoryPressure`',
  'object-store':
    'objects that compilers of one identity leave for each other: `listObjects`, `findObjects` and `keepObjects`',
} as const;

export type Feature = keyof typeof FEATURES;

/** Names of all that this build knows, as it says when a session opens. */
export const FEATURE_NAMES = Object.keys(FEATURES) as Feature[];

/** Those that this build and its peer know. */
export function commonFeatures(names: readonly string[]): Feature[] {
  return FEATURE_NAMES.filter((name) => names.includes(name));
}

/**
 * The newest version that both ends speak, or undefined when there is none.
 * @param versions oldest and newest of the peer, or all of them.
 */
export function commonVersion(versions: readonly number[]): number | undefined {
  const { oldest, newest } = PROTOCOL_VERSIONS;
  const version = Math.min(newest, Math.max(...versions));
  return version >= oldest && version >= Math.min(...versions) ? version : undefined;
}

/** A range of versions in words. */
export function describeVersions(versions: readonly number[]): string {
  const [oldest, newest] = [Math.min(...versions), Math.max(...versions)];
  return oldest === newest ? `version ${oldest}` : `versions ${oldest} to ${newest}`;
}
