import { LocalExecutor } from '../executor-client/local-executor.js';
import { wantsExecutor, withCommand } from './command-names.js';
import { errorReport } from './describe-error.js';
import type { Ended } from './end-process.js';
import { OutputWatch } from './output-watch.js';
import { type Report, reportJSON, reportText } from './report.js';

export { endProcess } from './end-process.js';

/** What the launcher puts before the user's arguments: `--adopt-executor=DESCRIPTOR:PROCESS`. */
const ADOPTION = /^--adopt-executor=(\d{1,9}):(\d{1,9})$/;

/**
 * `farjit`, from its first moment: the executor starts before anything else is looked at, since that takes as long as
 * to start this process did.
 * @param args without Node's and the script's path.
 */
export async function start(args: readonly string[]): Promise<Ended> {
  let local: LocalExecutor | undefined;
  const output = new OutputWatch(process.stdout);
  const say = (report: Report) => {
    process.stderr.write(`${args.includes('--json') ? reportJSON(report) : reportText(report)}\n`);
  };
  try {
    const [, socketFd, processId] = ADOPTION.exec(args[0] ?? '') ?? [];
    const isAdopted = socketFd !== undefined;
    const given = isAdopted ? args.slice(1) : args;
    if (isAdopted) local = LocalExecutor.adopt({ socketFd: Number(socketFd), processId: Number(processId) });
    else if (wantsExecutor(withCommand(given))) local = LocalExecutor.start();
    const { main } = await import('./main.js');
    const exitCode = await output.exitCodeOf(await main(given, local), (message) =>
      say({ level: 'error', message }),
    );
    return { exitCode, isLoaded: local !== undefined };
  } catch (error) {
    say(errorReport(error));
    return { exitCode: 1, isLoaded: false };
  } finally {
    await local?.stop();
  }
}
