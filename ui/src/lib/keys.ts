// Single keys and chords. Off while somebody types, while a dialog or a menu is open, and where a person has
// switched them off (WCAG 2.1.4).
import { useEffect, useRef } from "react";
import { tinykeys } from "tinykeys";
import { getPrefs } from "./prefs";

export type Bindings = Record<string, (e: KeyboardEvent) => void>;

/** The longest pause between the two letters of a chord, in milliseconds. */
const CHORD = 3_000;

export function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName) || target.closest("[data-typing]") !== null;
}

export function useKeys(bindings: Bindings): void {
  const latest = useRef(bindings);
  latest.current = bindings;
  const names = Object.keys(bindings).join("\n");
  useEffect(() => {
    const all: Bindings = {};
    for (const name of names.split("\n")) {
      const withModifier = name.startsWith("$mod+");
      all[name] = (e) => {
        const box = e.target instanceof HTMLInputElement && e.target.type === "checkbox";
        if (!withModifier && (!getPrefs().keys || (typing(e.target) && !box))) return;
        if (!withModifier && document.querySelector("dialog[open], :popover-open")) return;
        // Otherwise the letter would also be written into the box that the key opens.
        if (!withModifier) e.preventDefault();
        latest.current[name]?.(e);
      };
    }
    return tinykeys(window, all, { timeout: CHORD });
  }, [names]);
}
