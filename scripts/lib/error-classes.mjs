import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { ROOT } from './paths.mjs';

/** Classes of the library, of the command line, and of the executor's host, in the order of the document. */
const GROUPS = [
  ['library', 'packages/protocol/src', /errors\.ts$/],
  ['library', 'packages/compiler/src', /^(?!cli\/)/],
  ['command', 'packages/compiler/src/cli', /^/],
  ['command', 'packages/protocol/src', /^(?!errors\.ts$)/],
  ['executor', 'packages/executor/src', /^/],
];

/**
 * @typedef {{ name: string, type: string, text: string }} Field
 * @typedef {{ group: string, name: string, file: string, codes: string[], text: string, remedy: string, fields: Field[] }} ErrorClass
 */

/** @returns {ErrorClass[]} every class that extends `FarJITError`, by its sources. */
export function errorClasses() {
  return GROUPS.flatMap(([group, folder, pattern]) =>
    sourcesIn(folder, pattern).flatMap(({ file, source }) =>
      source.statements
        .filter((statement) => ts.isClassDeclaration(statement) && extendsFarJITError(statement))
        .map((statement) => ({ group, file, ...describe(statement, source) })),
    ),
  ).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Codes of errors that are a `FarJITError` and no more. */
export function loneCodes() {
  const codes = new Set();
  for (const folder of ['packages/protocol/src', 'packages/compiler/src', 'packages/executor/src'])
    for (const { source } of sourcesIn(folder, /^/))
      for (const [, code] of source.text.matchAll(/new FarJITError\(\s*'([A-Z_]+)'/g)) codes.add(code);
  return [...codes].sort();
}

function sourcesIn(folder, pattern) {
  return readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && pattern.test(path))
    .sort()
    .map((path) => {
      const file = `${folder}/${path}`;
      const text = readFileSync(`${ROOT}${file}`, 'utf8');
      return { file, source: ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true) };
    });
}

function extendsFarJITError({ heritageClauses = [] }) {
  return heritageClauses.some(({ types }) =>
    types.some(({ expression }) => expression.getText() === 'FarJITError'),
  );
}

function describe(declaration, source) {
  const [comment] = ts.getJSDocCommentsAndTags(declaration);
  const remarks = comment?.tags?.find(({ tagName }) => tagName.text === 'remarks');
  return {
    name: declaration.name.text,
    codes: codesOf(declaration, source),
    text: plain(comment?.comment),
    remedy: plain(remarks?.comment),
    fields: declaration.members.filter(isField).map((member) => ({
      name: member.name.text,
      type: (member.type?.getText() ?? '').replace(/\s+/g, ' '),
      text: plain(ts.getJSDocCommentsAndTags(member)[0]?.comment),
    })),
  };
}

/** The first argument of `super`, or what its type says that it can be; of those that are given one, any. */
function codesOf(declaration, source) {
  const found = /super\(\s*'([A-Z_]+)'/.exec(declaration.getText());
  if (found) return [found[1]];
  const parameter = declaration.members
    .find(ts.isConstructorDeclaration)
    ?.parameters.find(({ name }) => name.getText() === 'code');
  const literals = [...(parameter?.type?.getText() ?? '').matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code);
  if (literals.length > 0) return literals;
  const alias = source.statements.find(
    (one) => ts.isTypeAliasDeclaration(one) && one.name.text === parameter?.type?.getText(),
  );
  const aliased = [...(alias?.type.getText() ?? '').matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code);
  return aliased.length > 0 ? aliased : ['as the other end says'];
}

function isField(member) {
  const isPublic = !member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword);
  const isNamed = member.name && ts.isIdentifier(member.name) && member.name.text !== 'code';
  return isPublic && isNamed && (ts.isPropertyDeclaration(member) || ts.isGetAccessor(member));
}

function plain(comment) {
  const text = typeof comment === 'string' ? comment : (ts.getTextOfJSDocComment(comment) ?? '');
  return text.replace(/\s+/g, ' ').trim();
}
