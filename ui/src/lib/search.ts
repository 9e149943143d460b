// The queue's address as text, and back: what a kept filter holds.
import type { QueueSearch } from "../api/queries";

const WORDS = ["status", "severity", "team", "owner", "kind", "q", "where", "sort"] as const;

/** The query of the address, its parts in one order. */
export function textOf(search: QueueSearch): string {
  const query = new URLSearchParams();
  for (const word of WORDS) {
    const value = search[word];
    if (value) query.set(word, value);
  }
  if (search.waiting) query.set("waiting", "true");
  return query.toString();
}

/** What such a text asks for; what it does not know is left out. */
export function searchOf(text: string): QueueSearch {
  const query = new URLSearchParams(text);
  const search: QueueSearch = {};
  for (const word of WORDS) {
    const value = query.get(word);
    if (value) search[word] = value;
  }
  if (query.get("waiting") === "true") search.waiting = true;
  return search;
}
