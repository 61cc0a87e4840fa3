/** Whether a path fits: `*` stands for any characters but `/`, `**` for any, `?` for one but `/`. */
export type PathPattern = (path: string) => boolean;

type Part = { readonly any: 'name' | 'path' } | { readonly one: string };

/** Takes at most as many steps as path and pattern have characters, one by the other. */
export function pathPattern(pattern: string): PathPattern {
  const parts = partsOf(pattern);
  return (path) => {
    // Places in the pattern that the characters up to now can have led to.
    let places = closure(new Set([0]), parts);
    for (const character of path) {
      const next = new Set<number>();
      for (const place of places) {
        const part = parts[place];
        if (!part) continue;
        if ('any' in part) {
          if (part.any === 'path' || character !== '/') next.add(place);
        } else if (part.one === character || (part.one === '?' && character !== '/')) next.add(place + 1);
      }
      places = closure(next, parts);
    }
    return places.has(parts.length);
  };
}

function partsOf(pattern: string): Part[] {
  return (pattern.match(/\*\*|\*|[^*]/gu) ?? []).map((text) =>
    text === '**' ? { any: 'path' } : text === '*' ? { any: 'name' } : { one: text },
  );
}

/** With what can be reached without a character. */
function closure(places: Set<number>, parts: readonly Part[]): Set<number> {
  for (const place of places) {
    const part = parts[place];
    if (part && 'any' in part) places.add(place + 1);
  }
  return places;
}
