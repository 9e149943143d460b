// What differs between two texts, line by line: a longest common subsequence, which is enough for files
// of some hundred lines and says the same as `diff`.

export interface Line {
  kind: "same" | "gone" | "new";
  text: string;
}

/** More lines than this are compared from the first to the last difference as one block. */
const MOST = 2_000;

export function lineDiff(before: string, after: string): Line[] {
  const a = before.split("\n");
  const b = after.split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const same = (text: string): Line => ({ kind: "same", text });
  return [
    ...a.slice(0, start).map(same),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...a.slice(a.length - end).map(same),
  ];
}

function middle(a: string[], b: string[]): Line[] {
  const gone = (text: string): Line => ({ kind: "gone", text });
  const fresh = (text: string): Line => ({ kind: "new", text });
  if (a.length > MOST || b.length > MOST) return [...a.map(gone), ...b.map(fresh)];
  const wide = b.length + 1;
  const best = new Uint16Array((a.length + 1) * wide);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      best[i * wide + j] =
        a[i] === b[j] ? best[(i + 1) * wide + j + 1]! + 1 : Math.max(best[(i + 1) * wide + j]!, best[i * wide + j + 1]!);
    }
  }
  const out: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ kind: "same", text: a[i]! });
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && best[(i + 1) * wide + j]! >= best[i * wide + j + 1]!)) {
      out.push(gone(a[i++]!));
    } else {
      out.push(fresh(b[j++]!));
    }
  }
  return out;
}

/** Only what differs, with some lines around it; `skipped` says how many are left out before a line. */
export function hunks(lines: Line[], around = 3): { line: Line; skipped: number }[] {
  const near = lines.map((_, n) => lines.slice(Math.max(0, n - around), n + around + 1).some((l) => l.kind !== "same"));
  const out: { line: Line; skipped: number }[] = [];
  let skipped = 0;
  lines.forEach((line, n) => {
    if (!near[n]) {
      skipped++;
      return;
    }
    out.push({ line, skipped });
    skipped = 0;
  });
  return out;
}
