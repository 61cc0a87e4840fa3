import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

/**
 * Starts a Node program that does not outlive who has started it, however that ends: a test that takes too long is killed,
 * and so is a fuzzer whose input does not end. The kernel sees to it, also when the program hangs.
 */
export function spawnMortal(args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, ...args], options);
}
