// One clock for all that ages on a screen: a tick each second, and none while the page is hidden.
import { useSyncExternalStore } from "react";

let now = Date.now();
const listeners = new Set<() => void>();
let timer: number | undefined;

function tick(): void {
  now = Date.now();
  for (const l of listeners) l();
}

function subscribe(l: () => void): () => void {
  listeners.add(l);
  timer ??= window.setInterval(() => {
    if (!document.hidden) tick();
  }, 1_000);
  return () => {
    listeners.delete(l);
    if (listeners.size === 0) {
      window.clearInterval(timer);
      timer = undefined;
    }
  };
}

document.addEventListener("visibilitychange", tick);

export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}
