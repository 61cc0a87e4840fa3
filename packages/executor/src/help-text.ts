import type { AddHelpTextContext } from 'commander';

/** Of whatever width is not known. */
const USUAL_WIDTH = 80;

/** A text for the end of a command's help, wrapped as the rest of it; what is to be typed, in lines that begin with a space, is not. */
export function wrappedHelp(text: string): (context: AddHelpTextContext) => string {
  return ({ command }) => {
    const help = command.createHelp();
    const width = command.configureOutput().getOutHelpWidth?.() ?? USUAL_WIDTH;
    return text.replaceAll(/^(?! ).+$/gm, (line) => help.boxWrap(line, width));
  };
}
