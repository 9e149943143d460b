// Short words about what was done, read out by screen readers, gone after a while.
import { useSyncExternalStore } from "react";
import { visible } from "../lib/text";

interface Toast {
  id: number;
  text: string;
  tone: "good" | "bad";
  /** Takes back what was done. */
  undo?: (() => void) | undefined;
}

const listeners = new Set<() => void>();
let toasts: readonly Toast[] = [];
let next = 1;

function set(all: readonly Toast[]): void {
  toasts = all;
  for (const l of listeners) l();
}

export function toast(text: string, tone: Toast["tone"] = "good", undo?: () => void): void {
  const id = next++;
  set([...toasts.slice(-3), { id, text: visible(text), tone, undo }]);
  // What can be taken back stays long enough to be reached by keyboard.
  window.setTimeout(() => set(toasts.filter((t) => t.id !== id)), undo ? 20_000 : tone === "bad" ? 12_000 : 6_000);
}

function takeBack(t: Toast): void {
  set(toasts.filter((other) => other.id !== t.id));
  t.undo?.();
}

/** Takes back the last thing that can be. */
export function undoLast(): void {
  const last = toasts.filter((t) => t.undo).at(-1);
  if (last) takeBack(last);
}

export function Toasts() {
  const all = useSyncExternalStore(
    (l) => {
      listeners.add(l);
      return () => listeners.delete(l);
    },
    () => toasts,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {all.map((t) => (
        <div key={t.id} className={`toast tone-${t.tone}`}>
          {t.text}
          {t.undo ? (
            <button type="button" className="btn quiet" onClick={() => takeBack(t)}>
              Undo <kbd>u</kbd>
            </button>
          ) : null}
        </div>
      ))}
    </div>
  );
}
