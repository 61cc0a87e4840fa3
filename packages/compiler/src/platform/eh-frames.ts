import type { FrameSection } from '../jitlink/eh-frame.js';
import type { LinkedGraph } from '../jitlink/link.js';
import type { ObjectLinkingPlugin } from '../layers/object-linking-plugin.js';
import type { Linked } from '../runner/linked.js';
import type { RunnerContext } from '../runner/runner-context.js';

/** Makes unwind tables known to the runner, with the code that they are of, and unknown before that goes: ORC's `EHFrameRegistrationPlugin`. */
export class EHFrames implements ObjectLinkingPlugin {
  readonly #sections = new WeakMap<Linked, readonly FrameSection[]>();

  emitted(linked: Linked, { ehFrames }: LinkedGraph, { commits }: RunnerContext): void {
    commits.registerEHFrames(ehFrames);
    if (ehFrames.length > 0) this.#sections.set(linked, ehFrames);
  }

  removing(linked: Linked, { commits }: RunnerContext, done: () => void): void {
    const sections = this.#sections.get(linked) ?? [];
    let waiting = sections.length;
    if (waiting === 0) done();
    for (const section of sections)
      commits.deregisterEHFrames(section, () => {
        if (--waiting === 0) done();
      });
  }
}
