// What may stand at a place of a YAML text, by its JSON Schema: keys, and values where they are words.
//
// Goes by indentation and looks upwards from the cursor, so that it also works in a text that is not
// whole yet. Anything it does not understand gives no suggestion; the server's check has the last word.

export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  type?: string | string[];
  description?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  oneOf?: Schema[];
  anyOf?: Schema[];
}

export interface Suggestion {
  label: string;
  about: string;
  kind: "key" | "value";
  needed: boolean;
}

export interface At {
  /** Keys around the cursor, the outermost first. Lists do not count. */
  path: string[];
  /** The key whose value is being written; none when a key is. */
  key?: string;
  /** Where the word begins that is being written. */
  from: number;
}

const KEYED = /^(\s*)((?:-\s+)*)([\w-]+):(?:\s|$)/;

/** Where the cursor stands; nothing inside a block of prose, a comment or a quoted text. */
export function place(text: string, cursor: number): At | undefined {
  const lines = text.slice(0, cursor).split("\n");
  const line = lines.pop() ?? "";
  if (/^\s*#/.test(line)) return undefined;
  const flow = /^(.*?)([\w-]+):\s*\{([^{}"']*)$/.exec(line);
  const inner = flow ? (flow[3] ?? "").replace(/^.*,/s, "") : line;
  const written = flow
    ? /^(\s*)(?:([\w-]+):\s+)?([\w-]*)$/.exec(inner)
    : /^(\s*(?:-\s+)*)(?:([\w-]+):\s+)?([\w-]*)$/.exec(line);
  if (!written) return undefined;
  const [, lead = "", key, word = ""] = written;
  const before = flow ? (flow[1] ?? "") : lead;
  const path = around(lines, /^\s*(?:-\s+)*/.exec(before)?.[0] ?? "");
  if (!path) return undefined;
  if (flow) path.push(flow[2] ?? "");
  return { path, from: cursor - word.length, ...(key ? { key } : {}) };
}

/** The keys that stand around a line with this beginning. */
function around(lines: string[], lead: string): string[] | undefined {
  const path: string[] = [];
  // A key stands around what follows when it stands further left; a dash begins a list's entry.
  const edge = (spaces: string, dashes: string) => (dashes ? spaces.length + 1 : spaces.length);
  const own = /^(\s*)((?:-\s+)*)$/.exec(lead);
  let limit = edge(own?.[1] ?? "", own?.[2] ?? "");
  for (let n = lines.length - 1; n >= 0 && limit > 0; n--) {
    const line = lines[n] ?? "";
    const found = KEYED.exec(line);
    if (!found) continue;
    const [, spaces = "", dashes = "", key = ""] = found;
    const column = spaces.length + dashes.length;
    if (column < limit) {
      // Inside `sop: |` there is prose.
      if (/:\s*[|>][+-]?\d?\s*$/.test(line)) return undefined;
      path.unshift(key);
      limit = edge(spaces, dashes);
    } else if (column === limit && dashes) {
      limit = spaces.length + 1;
    }
  }
  return path;
}

function resolved(root: Schema, at: Schema): Schema {
  const name = at.$ref?.replace("#/$defs/", "");
  return name ? { ...(root.$defs?.[name] ?? {}), ...(at.description ? { description: at.description } : {}) } : at;
}

/** A schema and its alternatives, lists opened. */
function forms(root: Schema, at: Schema, depth = 0): Schema[] {
  const here = resolved(root, at);
  if (depth > 8) return [];
  const inside = [...(here.oneOf ?? []), ...(here.anyOf ?? []), ...(here.items ? [here.items] : [])];
  return [here, ...inside.flatMap((s) => forms(root, s, depth + 1))];
}

function enter(root: Schema, all: Schema[], key: string): Schema[] {
  return all.flatMap((s) => {
    const next = s.properties?.[key] ?? (typeof s.additionalProperties === "object" ? s.additionalProperties : undefined);
    return next ? forms(root, next) : [];
  });
}

/** What may be written there. */
export function suggest(root: Schema, at: At): Suggestion[] {
  let all = forms(root, root);
  for (const key of at.path) all = enter(root, all, key);
  if (at.key !== undefined) {
    const values = enter(root, all, at.key).flatMap((s) => s.enum ?? []);
    return [...new Set(values.map(String))].map((label) => ({ label, about: "", kind: "value", needed: false }));
  }
  const found = new Map<string, Suggestion>();
  for (const s of all) {
    for (const [label, about] of Object.entries(s.properties ?? {})) {
      const needed = s.required?.includes(label) ?? false;
      if (!found.has(label)) found.set(label, { label, about: resolved(root, about).description ?? "", kind: "key", needed });
    }
  }
  return [...found.values()].sort((a, b) => Number(b.needed) - Number(a.needed) || a.label.localeCompare(b.label));
}
