import { randomBytes } from 'node:crypto';

const CANARY_BYTES = 16;

/** Random bytes that are planted somewhere, and looked for elsewhere: in whole or in half, as they are or as text. */
export class Canaries {
  readonly #planted = new Map<string, Buffer>();

  /** A new one, which is called `what` where it is found. */
  plant(what: string): Buffer<ArrayBuffer> {
    const canary = Buffer.from(new Uint8Array(randomBytes(CANARY_BYTES)));
    this.#planted.set(what, canary);
    return canary;
  }

  /** The same as text, as in a name. */
  plantText(what: string): string {
    return `canary_${this.plant(what).toString('hex')}`;
  }

  /** What is found in any of these, each once. */
  foundIn(...haystacks: (Uint8Array | string)[]): string[] {
    const bytes = haystacks.map((haystack) => Buffer.from(haystack as Uint8Array));
    return [...this.#planted]
      .filter(([, canary]) =>
        formsOf(canary).some((form) => bytes.some((haystack) => haystack.includes(form))),
      )
      .map(([what]) => what);
  }
}

function formsOf(canary: Buffer): (Buffer | string)[] {
  const halves = [canary.subarray(0, CANARY_BYTES / 2), canary.subarray(CANARY_BYTES / 2)];
  return [...halves, ...halves.map((half) => half.toString('hex'))];
}
