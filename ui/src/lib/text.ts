// Text from outside is shown as text, and what could fool a reader is made visible.

/** Control, bidirectional and invisible characters: they could move, hide or reverse what follows. */
const ODD = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** The text with every odd character as a visible mark. Line breaks and tabs stay. */
export function visible(text: string): string {
  return text.replace(ODD, (c) => (c === "\u001b" ? "␛" : c === "\u0000" ? "␀" : "·"));
}

/** True when a name is one of ours, so that it may become a link. */
export function isName(text: string): boolean {
  return /^(INC|APR|ACT|RUN|SIL|A)-\d{1,18}$/.test(text);
}

/** A field of CSV that no spreadsheet takes for a formula. */
export function csvField(value: string | number | undefined | null): string {
  const text = visible(String(value ?? ""));
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

const WORDS: Record<string, string> = {
  tool: "a machine",
  hand_off: "somebody to take it",
  approval: "a yes or no",
  human: "whoever has it",
  active: "work in hand",
  notify_noc: "tell the NOC",
  c2: "command and control",
  in_force: "in force",
  brute_force: "brute force",
  lateral_movement: "lateral movement",
};

/** A word of the API as people write it. */
export function human(word: string): string {
  return WORDS[word] ?? word.replaceAll("_", " ");
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
