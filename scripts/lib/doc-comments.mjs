/**
 * Doc comments of a source file's declarations, without their stars.
 * @param {string} source TypeScript text, formatted as Biome does
 * @returns {Map<string, { text: string, fields: Map<string, string> }>} by exported name; `fields` has the comments
 *   inside the declaration, by what follows: a field's name, a union's member, or `key: value` for a variant
 */
export function readDocComments(source) {
  const declarations = new Map();
  const pattern =
    /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?^export (?:const|type) (\w+)[\s\S]*?;\n(?=\n|export|\/\*\*|$)/gm;
  for (const [whole, comment = '', name] of source.matchAll(pattern))
    if (!declarations.has(name))
      declarations.set(name, { text: plain(comment), fields: fieldComments(whole) });
  return declarations;
}

function fieldComments(declaration) {
  const fields = new Map();
  const pattern =
    /^ +\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n +(?:(\w+):|v\.strictObject\(\{ (\w+: v\.literal\('[\w-]+'\))|\| '(\w+)')/gm;
  for (const [, comment, field, variant, member] of declaration.matchAll(pattern))
    fields.set(field ?? member ?? variant.replace(/v\.literal\('([\w-]+)'\)/, '$1'), plain(comment));
  return fields;
}

function plain(comment) {
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\*? ?/, '').trim())
    .filter(Boolean)
    .join(' ')
    .trim();
}
