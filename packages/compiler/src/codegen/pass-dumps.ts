/** The IR of a function as a pass has left it. */
export interface PassDump {
  /** As LLVM calls it. */
  readonly pass: string;
  /** What it ran on: a function, or a loop or call graph component with it. */
  readonly on: string;
  /** Whether it has left other IR than the pass before. */
  readonly changed: boolean;
  /** LLVM assembly; empty where it has removed what it ran on. */
  readonly ir: string;
}

/** `*** IR Dump After PASS on WHAT ***`; since LLVM 17 behind a semicolon, and with what became of it. */
const HEAD = /^(?:; )?\*\*\* IR Dump After (.+?) on (.+?)(?: \((?:invalidated|filtered out)\))? \*\*\*.*$/;

/** Reads what LLVM prints with `-print-after-all`. */
export function readPassDumps(text: string): PassDump[] {
  const dumps: PassDump[] = [];
  let head: RegExpExecArray | undefined;
  let lines: string[] = [];
  const last = new Map<string, string>();
  const finish = () => {
    if (!head) return;
    const [, pass = '', on = ''] = head;
    const ir = lines.join('\n').trim();
    dumps.push({ pass, on, changed: last.get(on) !== ir, ir });
    last.set(on, ir);
  };
  for (const line of text.split('\n')) {
    const found = HEAD.exec(line);
    if (!found) {
      lines.push(line);
      continue;
    }
    finish();
    head = found;
    lines = [];
  }
  finish();
  return dumps;
}
