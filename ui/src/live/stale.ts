// What a change in the journal concerns.

/** Which questions a change makes stale: first words of their keys. */
export function stale(kinds: string[]): Set<string> {
  const all = new Set<string>();
  const add = (...words: string[]) => {
    for (const w of words) all.add(w);
  };
  for (const kind of kinds) {
    if (kind === "intake" || kind === "assessed" || kind === "enriched" || kind.startsWith("alerts_")) {
      add("sources", "ledger", "quarantine", "alert");
    }
    if (kind.startsWith("approval_")) add("approvals", "clock");
    if (kind.startsWith("action_")) add("blocks", "approvals", "clock");
    if (kind.startsWith("run_") || kind.startsWith("step_")) add("runs", "playbooks");
    if (kind === "loaded" || kind === "kill_switch") add("settings", "playbooks", "sources", "approvals");
    if (kind === "access_changed") add("people", "tokens", "settings");
    if (kind === "filter_kept") add("filters");
    if (kind !== "filter_kept" && kind !== "intake" && kind !== "assessed" && kind !== "intended") add("queue");
    if (kind === "incident_opened" || kind === "acknowledged" || kind === "resolved") add("clock", "first-run");
    add("journal");
  }
  return all;
}
