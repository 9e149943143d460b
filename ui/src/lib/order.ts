// The order of the queue on the screen: nothing under a person's eyes moves by itself.

/** Keeps what is shown in its place; tells what is new and what has gone since. */
export function settle(shown: readonly string[], latest: readonly string[]): { fresh: string[]; gone: Set<string> } {
  const known = new Set(shown);
  const now = new Set(latest);
  return {
    fresh: latest.filter((id) => !known.has(id)),
    gone: new Set(shown.filter((id) => !now.has(id))),
  };
}
