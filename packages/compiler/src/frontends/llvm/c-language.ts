import { extname } from 'node:path';

/** Languages that clang compiles, in its own words. */
export type CLanguage = 'c' | 'c++' | 'assembler' | 'assembler-with-cpp';

/** What sources are by the ends of their names, as compilers go by them. */
export const LANGUAGE_OF_SUFFIX: ReadonlyMap<string, CLanguage> = new Map([
  ['.c', 'c'],
  ['.cc', 'c++'],
  ['.cpp', 'c++'],
  ['.cxx', 'c++'],
  ['.c++', 'c++'],
  ['.C', 'c++'],
  ['.s', 'assembler'],
  ['.S', 'assembler-with-cpp'],
]);

/** What a source of that name is in; C where the name does not say. */
export function languageOf(name: string): CLanguage {
  return LANGUAGE_OF_SUFFIX.get(extname(name)) ?? 'c';
}
