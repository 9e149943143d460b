// The response in five segments: what is done, what is waited for.
import type { ClockCell, QueueRow } from "../api/types";
import { human } from "../lib/text";

/** What stands for a segment that is not reached: the first of them is where it is now. */
export function ClockBar({ cells, waiting }: { cells: ClockCell[]; waiting: QueueRow["waiting_on"] }) {
  const current = cells.findIndex((c) => c.after_ms === undefined || c.after_ms === null);
  const words = cells
    .map((c, n) => {
      if (c.after) return `${c.phase} after ${c.after}`;
      return n === current && waiting ? `${c.phase} waits for ${human(waiting)}` : `${c.phase} not reached`;
    })
    .join(", ");
  return (
    <span className="clockbar" role="img" aria-label={words} title={words}>
      {cells.map((c, n) => (
        <span
          key={c.phase}
          className={c.after ? "done" : n === current && waiting ? `now on-${waiting}` : "open"}
        />
      ))}
    </span>
  );
}
