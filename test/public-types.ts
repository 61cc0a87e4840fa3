import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** A type that what is public names, and that nobody can import. */
export interface UnexportedType {
  readonly name: string;
  /** The export that names it. */
  readonly namedBy: string;
  /** Where it is declared. */
  readonly file: string;
}

/** What a package exports, under all its names, as declarations. */
function exportsOf(program: ts.Program, entries: readonly string[]): Map<ts.Symbol, string> {
  const checker = program.getTypeChecker();
  const found = new Map<ts.Symbol, string>();
  for (const entry of entries) {
    const file = program.getSourceFile(entry);
    const symbol = file && checker.getSymbolAtLocation(file);
    if (!symbol) throw new Error(`${entry} has no declarations: build first`);
    for (const one of checker.getExportsOfModule(symbol)) found.set(targetOf(checker, one), one.name);
  }
  return found;
}

/** Declaration files that a package's `exports` lead to. */
export function entriesOf(packageFolder: string): string[] {
  const { exports } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { types?: string }>;
  };
  return Object.values(exports).flatMap((entry) =>
    typeof entry === 'object' && entry.types ? [join(packageFolder, entry.types)] : [],
  );
}

/**
 * Types that the declarations of a package's exports name, of this project, and that no package exports.
 * @param folders of the packages whose exports can be imported; the first is the one that is looked at.
 */
export function unexportedTypes(folders: readonly [string, ...string[]]): UnexportedType[] {
  const entries = folders.map(entriesOf);
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    types: ['node'],
    skipLibCheck: true,
    strict: true,
    noEmit: true,
  };
  const program = ts.createProgram({ rootNames: entries.flat(), options });
  const checker = program.getTypeChecker();
  const own = exportsOf(program, entries[0] ?? []);
  const all = exportsOf(program, entries.flat());
  const unexported = new Map<ts.Symbol, UnexportedType>();
  const look = (node: ts.Node, namedBy: string): void => {
    if (isPrivate(node)) return;
    const name = nameIn(node);
    const symbol = name && checker.getSymbolAtLocation(name);
    const target = symbol && targetOf(checker, symbol);
    if (target && isOfProject(target) && !all.has(target) && !unexported.has(target))
      unexported.set(target, {
        name: target.name,
        namedBy,
        file: target.declarations?.[0]?.getSourceFile().fileName ?? '',
      });
    ts.forEachChild(node, (child) => look(child, namedBy));
  };
  for (const [symbol, name] of own)
    for (const declaration of symbol.declarations ?? []) look(declaration, name);
  return [...unexported.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

const HIDDEN = new Set([ts.SyntaxKind.PrivateKeyword, ts.SyntaxKind.ProtectedKeyword]);

function targetOf(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

/** What is for subclasses of ours or, as its comment says (`@internal`), for other parts of the package. */
function isPrivate(node: ts.Node): boolean {
  // Nobody makes an error of ours but us.
  if (ts.isConstructorDeclaration(node) && /Error\b/.test(node.parent.heritageClauses?.[0]?.getText() ?? ''))
    return true;
  const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : [];
  return (
    modifiers.some(({ kind }) => HIDDEN.has(kind)) ||
    ts.getJSDocTags(node).some(({ tagName }) => tagName.text === 'internal')
  );
}

/** The name of the type that a node refers to, where it does. */
function nameIn(node: ts.Node): ts.Node | undefined {
  if (ts.isTypeReferenceNode(node)) return lastOf(node.typeName);
  if (ts.isExpressionWithTypeArguments(node)) return node.expression;
  if (ts.isTypeQueryNode(node)) return lastOf(node.exprName);
  if (ts.isImportTypeNode(node)) return node.qualifier && lastOf(node.qualifier);
  return undefined;
}

function lastOf(name: ts.EntityName): ts.Node {
  return ts.isQualifiedName(name) ? name.right : name;
}

function isExported(declaration: ts.TypeAliasDeclaration): boolean {
  return declaration.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;
}

/** Declared at the top of one of the packages' files: type parameters and members are not. */
function isOfProject({ declarations = [] }: ts.Symbol): boolean {
  return declarations.some((declaration) => {
    const { fileName } = declaration.getSourceFile();
    const isTopLevel =
      ts.isInterfaceDeclaration(declaration) ||
      ts.isTypeAliasDeclaration(declaration) ||
      ts.isClassDeclaration(declaration) ||
      ts.isEnumDeclaration(declaration);
    // A step of a computation with types, that its file keeps to itself, is nobody's to name.
    if (ts.isTypeAliasDeclaration(declaration) && !isExported(declaration)) return false;
    return isTopLevel && /\/packages\/[\w-]+\/dist\/src\//.test(fileName);
  });
}
