// What a person prefers, kept in this browser only.
import { useSyncExternalStore } from "react";
import type { Zone } from "./time";

export interface Prefs {
  theme: "system" | "light" | "dark";
  zone: Zone;
  keys: boolean;
}

const listeners = new Set<() => void>();

function read(name: string): string | null {
  try {
    return localStorage.getItem(`stanch.${name}`);
  } catch {
    return null;
  }
}

function load(): Prefs {
  const theme = read("theme");
  return {
    theme: theme === "light" || theme === "dark" ? theme : "system",
    zone: read("zone") === "local" ? "local" : "utc",
    keys: read("keys") !== "off",
  };
}

let prefs = load();

export function setPrefs(change: Partial<Prefs>): void {
  prefs = { ...prefs, ...change };
  try {
    localStorage.setItem("stanch.theme", prefs.theme);
    localStorage.setItem("stanch.zone", prefs.zone);
    localStorage.setItem("stanch.keys", prefs.keys ? "on" : "off");
  } catch {
    // A browser that keeps nothing forgets it at the next visit; that is all.
  }
  applyTheme();
  for (const l of listeners) l();
}

const light = matchMedia("(prefers-color-scheme: light)");
light.addEventListener("change", applyTheme);

export function shownTheme(): "light" | "dark" {
  return prefs.theme === "system" ? (light.matches ? "light" : "dark") : prefs.theme;
}

function applyTheme(): void {
  document.documentElement.dataset.theme = shownTheme();
}

export function getPrefs(): Prefs {
  return prefs;
}

export function usePrefs(): Prefs {
  return useSyncExternalStore(
    (l) => {
      listeners.add(l);
      return () => listeners.delete(l);
    },
    () => prefs,
  );
}
