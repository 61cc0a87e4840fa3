// The tables of docs/laziness.md, of what measure.mjs gives.

const NONE = '–';

/**
 * @param {string} page docs/laziness.md.
 * @returns {string} it, with each block between `<!-- figures: NAME -->` and `<!-- end of figures -->` written anew.
 * @throws {Error} for a block that there is not, and for one that the page lacks.
 */
export function withFigures(page, figures) {
  const blocks = {
    machine: machineOf(figures),
    thousand: thousandOf(figures),
    callback: callbackOf(figures),
    orc: orcOf(figures),
  };
  const seen = new Set();
  const written = page.replace(
    /(<!-- figures: (\w+) -->\n)[\s\S]*?(<!-- end of figures -->)/g,
    (_, start, name, end) => {
      if (blocks[name] === undefined) throw new Error(`there are no figures called ${name}`);
      seen.add(name);
      return `${start}\n${blocks[name]}\n\n${end}`;
    },
  );
  for (const name of Object.keys(blocks))
    if (!seen.has(name)) throw new Error(`the page has no place for the figures ${name}`);
  return written;
}

function machineOf({ machine, sampleCount, orc }) {
  const { cpu, coreCount, kernel, node, llvm } = machine;
  return `The tables of this page are written by \`npm run docs:figures\`: medians of ${sampleCount}, each in a fresh process, on ${coreCount}
cores (${cpu}), ${kernel}, Node ${node.slice(1)} and libLLVM ${llvm}, beside \`lli\` ${orc.lli}.`;
}

function thousandOf({ thousand }) {
  const variants = ['first-code', 'llvm', 'module', 'pieces'].map((name) => thousand[name]);
  const row = (title, of) => [title, ...variants.map(of)];
  return table([
    ['', 'ASTs, first code', 'ASTs, by LLVM', 'one IR module', 'the same, in pieces'],
    row('making IR', ({ irMs }) => inMs(irMs)),
    row('sending, reading and verifying it', ({ addMs }) => inMs(addMs)),
    row('making code without LLVM', ({ frontEndMs }) => inMs(frontEndMs)),
    row('in LLVM', ({ llvmMs }) => inMs(llvmMs)),
    row('all, to the result', ({ resultMs }) => inMs(resultMs)),
    row('functions compiled', ({ functionCount }) => inWords(functionCount)),
    row('bytes of code or objects', ({ objectBytes }) => inWords(objectBytes)),
    row('callbacks', ({ callbackCount }) => inWords(callbackCount)),
    row('callbacks when FarJIT guesses', ({ guessedCallbackCount }) => inWords(guessedCallbackCount)),
  ]);
}

function callbackOf({ chain }) {
  const levels = Object.keys(chain);
  const row = (title, of) => [title, ...levels.map((level) => of(chain[level]))];
  return table([
    ['', ...levels.map((level) => `\`${level}\``)],
    row('IRGen (`irgenMs`)', ({ irgenMs }) => inUs(irgenMs)),
    row('LLVM: parsing, passes, emission (`llvmMs`)', ({ llvmMs }) => inUs(llvmMs)),
    row('linking (`linkMs`)', ({ linkMs }) => inUs(linkMs)),
    row('in the compiler altogether (`callbackMs`)', ({ callbackMs }) => inUs(callbackMs)),
    row('on the wire, both event loops included (`wireMs`)', ({ wireMs }) => inUs(wireMs)),
    row('round trips', ({ roundTripCount }) => inWords(roundTripCount)),
    row('bytes to the executor', ({ bytesSent }) => inWords(Math.round(bytesSent))),
    row('bytes to the compiler', ({ bytesReceived }) => inWords(Math.round(bytesReceived))),
  ]);
}

function orcOf({ orc }) {
  const counts = Object.keys(orc.functions);
  const row = (title, of) => [title, ...counts.map((count) => of(orc.functions[count]))];
  return table([
    ['functions in the module', ...counts.map((count) => inWords(Number(count)))],
    row('`lli`, eager', ({ eagerMs }) => inMs(eagerMs)),
    row(`\`lli\`, lazy, ${FEW} called`, ({ lazyMs }) => inMs(lazyMs)),
    row('`lli`, lazy, one more function called', ({ oneMoreMs }) => inMs(oneMoreMs)),
    row('lazy is slower than eager as soon as', (each) => `${inWords(sameAt(each))} are called`),
    row('FarJIT, in pieces of one, one more function called', ({ pieceMs }) => inMs(pieceMs)),
    row('FarJIT, in pieces as it makes them, one more function called', ({ guessedMs }) => inMs(guessedMs)),
  ]);
}

/** Functions that are called where only few are. */
const FEW = 20;

/** How many functions are called when both take the same time. */
function sameAt({ eagerMs, lazyMs, oneMoreMs }) {
  return Math.max(1, Math.round(FEW + (eagerMs - lazyMs) / oneMoreMs));
}

/** What takes less than a tenth of a millisecond was not done. */
function inMs(ms) {
  if (ms < 0.1) return NONE;
  return `${ms < 10 ? ms.toFixed(1) : inWords(Math.round(ms))} ms`;
}

function inUs(ms) {
  return `${inWords(Math.round(ms * 1000))} µs`;
}

function inWords(number) {
  return number.toLocaleString('en-US');
}

/** Columns as wide as their widest cell, the first to the left and the others to the right. */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const padded = rows.map((row) =>
    line(row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))),
  );
  const rule = line(
    widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)),
  );
  return [padded[0], rule, ...padded.slice(1)].join('\n');
}
