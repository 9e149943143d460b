// Short words about what was done, read out by screen readers, gone after a while.
import { useSyncExternalStore } from "react";
import { visible } from "../lib/text";

interface Toast {
  id: number;
  text: string;
  tone: "good" | "bad";
}

const listeners = new Set<() => void>();
let toasts: readonly Toast[] = [];
let next = 1;

function set(all: readonly Toast[]): void {
  toasts = all;
  for (const l of listeners) l();
}

export function toast(text: string, tone: Toast["tone"] = "good"): void {
  const id = next++;
  set([...toasts.slice(-3), { id, text: visible(text), tone }]);
  window.setTimeout(() => set(toasts.filter((t) => t.id !== id)), tone === "bad" ? 12_000 : 6_000);
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
        </div>
      ))}
    </div>
  );
}
