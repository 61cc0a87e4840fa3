import type { GenericSchema } from 'valibot';

interface PipeItem {
  readonly type: string;
  readonly requirement?: unknown;
  readonly pipe?: readonly PipeItem[];
}

/** The parts of valibot's schema objects that sampling looks at. */
interface SchemaNode {
  readonly type: string;
  readonly pipe?: readonly PipeItem[];
  readonly entries?: Readonly<Record<string, SchemaNode>>;
  readonly item?: SchemaNode;
  readonly value?: SchemaNode;
  readonly wrapped?: SchemaNode;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
}

/** Numbers in [0, 1) from a seed (mulberry32), so that a failure can be seen again. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * A value that fits the schema. Picks limits often: a number is its smallest or largest value half of the time.
 * @throws {TypeError} for a kind of schema that no message uses so far.
 */
export function sampleValue(schema: GenericSchema<unknown, unknown>, random: () => number): unknown {
  return sample(schema as unknown as SchemaNode, random);
}

function sample(schema: SchemaNode, random: () => number): unknown {
  // The outermost requirement of a kind is the narrowest.
  const requirement = (type: string) =>
    requirements(schema).findLast((item) => item.type === type)?.requirement;
  const upTo = (limit: number) => Math.floor(random() * (limit + 1));
  switch (schema.type) {
    case 'object':
    case 'strict_object':
      return Object.fromEntries(
        Object.entries(schema.entries ?? {}).map(([key, entry]) => [key, sample(entry, random)]),
      );
    case 'array': {
      const shortest = Number(requirement('min_length') ?? 0);
      return Array.from({ length: shortest + upTo(3) }, () => sample(part(schema.item), random));
    }
    case 'record':
      return Object.fromEntries(
        ['rax', 'rip', 'r15'].map((key) => [key, sample(part(schema.value), random)]),
      );
    case 'variant':
      return sample(schema.options?.[upTo(schema.options.length - 1)] as SchemaNode, random);
    case 'picklist':
      return schema.options?.[upTo(schema.options.length - 1)];
    case 'literal':
      return schema.literal;
    case 'optional':
      return sample(part(schema.wrapped), random);
    case 'boolean':
      return random() < 0.5;
    case 'string':
      if (requirement('regex')) return 'x86-64';
      return ['x', 'name$impl', 'größer als 31 Bytes, mit Umlauten', '€'.repeat(90)][upTo(3)]?.slice(
        0,
        Number(requirement('max_length') ?? Number.POSITIVE_INFINITY),
      );
    case 'number': {
      const least = Number(requirement('min_value') ?? Number.MIN_SAFE_INTEGER);
      const most = Number(requirement('max_value') ?? Number.MAX_SAFE_INTEGER);
      return [least, most, Math.min(most, least + upTo(300)), Math.floor(least + random() * (most - least))][
        upTo(3)
      ];
    }
    case 'bigint':
      return [0n, 1n, 0x7fff_ffff_f000n, 2n ** 63n, 2n ** 64n - 1n][upTo(4)];
    case 'custom': {
      // Bytes.
      const shortest = Number(requirement('min_length') ?? 0);
      const more = Math.min(400, Number(requirement('max_length') ?? 400) - shortest);
      return Uint8Array.from({ length: shortest + upTo(1) * upTo(more) }, () => upTo(255));
    }
    default:
      throw new TypeError(`no samples for a schema of type ${schema.type}`);
  }
}

/** All pipe items, those of an inner pipe first. */
function requirements(schema: PipeItem): readonly PipeItem[] {
  return schema.pipe?.flatMap((item) => (item.pipe ? requirements(item) : [item])) ?? [];
}

function part(schema: SchemaNode | undefined): SchemaNode {
  if (!schema) throw new TypeError('a schema without its part');
  return schema;
}
