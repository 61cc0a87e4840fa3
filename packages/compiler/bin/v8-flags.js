'use strict';
const { setFlagsFromString } = require('node:v8');

// Milliseconds in which V8 does not look for old objects that nobody needs, of which there are hardly any so early: with a chain
// of 200 functions that was 7% of the instructions of the compiler's process.
const MARKING_DELAY_MS = 2000;

// Node 20's V8. Later ones count calls in place of bytes, and print an error for a flag that they do not know.
const HAS_INTERRUPT_BUDGET = process.versions.v8.startsWith('11.3.');

// Flags of V8, [for a command, as they are by themselves].
const marking = ['--no-incremental-marking', '--incremental-marking'];
const flags = [marking];
// Bytes of bytecode that a function runs before it is optimised. A command mostly ends before optimised code pays, and V8
// makes it on the core that code generation needs: with a chain of 1000 functions that was 40% of the CPU time of all processes,
// with one of 200 15%. What a long session runs again and again is optimised still.
// A program of Kaleidoscope begins with code that is made here, not by LLVM: there that core is free for a while, and of a chain of 1000
// functions the compiler is done by a twentieth sooner.
const beginsWithoutLLVM =
  process.argv.some((arg) => arg.endsWith('.ks')) &&
  !process.argv.some((arg) => /^(-O|--baseline)/.test(arg));
const budget = beginsWithoutLLVM ? 350_000 : 1_000_000;
if (HAS_INTERRUPT_BUDGET) flags.push([`--interrupt-budget=${budget}`, `--interrupt-budget=${132 * 1024}`]);

/** Has V8 work as suits a command. */
function setFlags() {
  for (const [own] of flags) setFlagsFromString(own);
  setTimeout(endDelay, MARKING_DELAY_MS).unref();
}

function endDelay() {
  marking[0] = marking[1];
  setFlagsFromString(marking[0]);
}

/**
 * `load`, after `setFlags`, with the flags that V8 has by itself: it refuses what it was given compiled with other ones, as Node's own
 * modules are, and compiles these again, which takes several times as long as to load them.
 */
function withOwnFlags(load) {
  for (const [, usual] of flags) setFlagsFromString(usual);
  try {
    return load();
  } finally {
    for (const [own] of flags) setFlagsFromString(own);
  }
}

module.exports = { setFlags, withOwnFlags };
