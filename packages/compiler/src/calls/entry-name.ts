/** Symbol of the entry emitted beside an implementation. */
export function entryName(implementationName: string): string {
  return `${implementationName}$entry`;
}
