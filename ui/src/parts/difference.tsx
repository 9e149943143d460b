// What differs between two versions of a playbook: in words, then line by line.
import "../styles/playbook.css";
import { useMemo } from "react";
import type { Difference } from "../api/types";
import { hunks, lineDiff } from "../lib/linediff";
import { plural, visible } from "../lib/text";
import { T } from "./basics";

/** `silent` is said when the words are empty although lines differ. */
export function Differences({ words, before, after, silent }: { words: Difference[]; before: string; after: string; silent: string }) {
  const lines = useMemo(() => hunks(lineDiff(before, after)), [before, after]);
  return (
    <>
      {words.length > 0 ? (
        <ul className="differences">
          {words.map((d) => (
            <li key={d.step + d.words} className={d.widens ? "widens" : ""}>
              {d.widens ? <strong>Does more: </strong> : null}
              {d.step ? <span className="mono">{visible(d.step)} </span> : null}
              <T>{d.words}</T>
            </li>
          ))}
        </ul>
      ) : (
        <p className="pad mute">{lines.length === 0 ? "It is the same." : silent}</p>
      )}
      {lines.length > 0 ? (
        <div className="wide" role="group" aria-label="Lines that differ" tabIndex={0}>
          <ol className="linediff">
            {lines.map(({ line, skipped }, n) => (
              <li key={`${n}${line.text}`} className={line.kind}>
                {skipped > 0 ? <span className="mute skipped">{plural(skipped, "line")} alike</span> : null}
                <code>
                  <span className="hidden">{line.kind === "gone" ? "Removed: " : line.kind === "new" ? "Added: " : ""}</span>
                  <span aria-hidden="true">{line.kind === "gone" ? "- " : line.kind === "new" ? "+ " : "  "}</span>
                  {visible(line.text)}
                </code>
              </li>
            ))}
          </ol>
        </div>
      ) : null}
    </>
  );
}
