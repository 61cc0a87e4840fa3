import type { ObjectLinkingPlugin } from '../layers/object-linking-plugin.js';
import type { Linked } from '../runner/linked.js';
import type { RunnerContext } from '../runner/runner-context.js';

/** Makes unwind tables known to the runner, with the code that they are of, and unknown before that goes: ORC's `EHFrameRegistrationPlugin`. */
export class EHFrames implements ObjectLinkingPlugin {
  emitted({ ehFrames }: Linked, _graph: unknown, { commits }: RunnerContext): void {
    commits.registerEHFrames(ehFrames);
  }

  removing({ ehFrames }: Linked, { commits }: RunnerContext, done: () => void): void {
    let waiting = ehFrames.length;
    if (waiting === 0) done();
    for (const section of ehFrames)
      commits.deregisterEHFrames(section, () => {
        if (--waiting === 0) done();
      });
  }
}
