/**
 * Renders valibot schemas as types in words.
 * @param {Map<object, string>} names schemas that have a name of their own, which is linked instead of spelt out
 */
export class SchemaWords {
  constructor(names) {
    this.names = names;
  }

  /** A type in one line: `list of [segment](#segment), at most 4096`. */
  type(schema) {
    const name = this.names.get(schema);
    if (name !== undefined) return `[${name}](#${name.toLowerCase()})`;
    if (schema.pipe) return this.#piped(schema);
    switch (schema.type) {
      case 'array':
        return `list of ${this.type(schema.item)}`.replace(/of map(.*):$/, 'of$1:');
      case 'record':
        return `map from text to ${this.type(schema.value)}`;
      case 'picklist':
        return schema.options.map((option) => `\`'${option}'\``).join(' or ');
      case 'literal':
        return `\`'${schema.literal}'\``;
      case 'variant':
        return `one of, by \`${schema.key}\`:`;
      case 'optional':
        return `${this.type(schema.wrapped)} or left out`.replace(/: or left out$/, ', or left out:');
      case 'object':
      case 'strict_object':
        return Object.keys(schema.entries).length === 0
          ? 'nothing: `{}`'
          : schema.type === 'object'
            ? 'map, with room for more:'
            : 'map:';
      case 'string':
        return 'text';
      case 'bigint':
        return '64-bit integer';
      case 'custom':
        return 'bytes';
      case 'number':
      case 'boolean':
        return schema.type;
      default:
        throw new TypeError(`no words for a schema of type ${schema.type}`);
    }
  }

  #piped(schema) {
    const [inner, ...checks] = schema.pipe;
    const isInteger = checks.some(({ type }) => type === 'safe_integer');
    const unit = inner.type === 'string' ? 'character' : undefined;
    const limits = checks.flatMap((check) => limitInWords(check, unit));
    return [isInteger ? 'integer' : this.type(inner), ...limits].join(', ');
  }

  /**
   * What is inside a map or a choice, as lines of a Markdown list.
   * @param {Map<string, string>} comments by field name
   */
  fields(schema, comments, indent = '') {
    if (schema.type === 'optional') return this.#inside(schema.wrapped, comments, indent);
    if (schema.type === 'array' || schema.type === 'record')
      return this.#inside(schema.item ?? schema.value, comments, indent);
    if (schema.type === 'variant')
      return schema.options.flatMap((option) => this.#variant(schema.key, option, comments, indent));
    if (!['object', 'strict_object'].includes(schema.type)) return [];
    return Object.entries(schema.entries).flatMap(([field, entry]) =>
      this.#field(field, entry, comments, indent),
    );
  }

  #field(field, schema, comments, indent) {
    const comment = comments.get(field);
    const type = this.type(schema);
    const words = comment === undefined ? '' : `${type.endsWith(':') ? '' : ' —'} ${comment}`;
    return [`${indent}- \`${field}\`: ${type}${words}`, ...this.#inside(schema, comments, `${indent}  `)];
  }

  #variant(key, option, comments, indent) {
    const { [key]: discriminator, ...rest } = option.entries;
    const comment = comments.get(`${key}: ${discriminator.literal}`);
    const line = `${indent}- \`${key}: '${discriminator.literal}'\`${comment ? `: ${comment}` : ''}`;
    const fields = Object.entries(rest).flatMap(([field, entry]) =>
      this.#field(field, entry, comments, `${indent}  `),
    );
    return [line, ...fields];
  }

  #inside(schema, comments, indent) {
    return this.names.has(schema) ? [] : this.fields(schema, comments, indent);
  }
}

function limitInWords({ type, requirement, message }, unit) {
  switch (type) {
    case 'min_length':
    case 'min_value':
      return [`at least ${quantity(requirement, unit)}`];
    case 'max_length':
    case 'max_value':
      return [`at most ${quantity(requirement, unit)}`];
    case 'excludes':
      return [`without ${requirement === '\0' ? 'NUL' : requirement}`];
    case 'check':
    case 'regex':
      return [message];
    case 'safe_integer':
    case 'transform':
      return [];
    default:
      throw new TypeError(`no words for a check of type ${type}`);
  }
}

function quantity(value, unit) {
  const number =
    { 4294967295: '2³² − 1', 18446744073709551615: '2⁶⁴ − 1' }[value] ?? value.toLocaleString('en');
  if (unit === undefined) return number;
  return `${number} ${unit}${value === 1 ? '' : 's'}`;
}
