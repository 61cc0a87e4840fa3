/** How a command says on standard error what is wrong. */
export interface Complaints {
  /** @param words a line for each thing that is wrong. */
  error(words: string, code?: string): void;
  /** What commander says of a wrong command line: `error: WORDS`, and perhaps what was meant. */
  usage(text: string): void;
  warning(words: string): void;
}

/** For people, with a prefix on each line. */
const IN_WORDS: Complaints = {
  error: (words) => say(words.trimEnd().replaceAll(/^/gm, 'farjit-executor: error: ')),
  usage: (text) => say(`farjit-executor: ${text.trimEnd()}`),
  warning: (words) => say(`farjit-executor: warning: ${words}`),
};

/** For programs: a line for each thing, an object as `farjit --json` writes it. */
const IN_JSON: Complaints = {
  error: (words, code = 'SETTINGS') => {
    for (const message of words.trimEnd().split('\n')) say(JSON.stringify({ error: { code, message } }));
  },
  usage: (text) => {
    const [message = '', ...details] = text
      .trimEnd()
      .replace(/^error: /, '')
      .split('\n');
    const more = details.length > 0 ? { details } : {};
    say(JSON.stringify({ error: { code: 'USAGE', message, ...more } }));
  },
  warning: (message) => say(JSON.stringify({ warning: { message } })),
};

export function complaints(json = false): Complaints {
  return json ? IN_JSON : IN_WORDS;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
