// The sheet of shortcuts.
import { setPrefs, usePrefs } from "../lib/prefs";
import { PLACES } from "../shell";
import { Dialog } from "./dialog";

const GROUPS: [string, [string, string][]][] = [
  [
    "Everywhere",
    [
      ["Ctrl K", "find or do anything"],
      ["?", "this sheet"],
      ["t", "times in UTC or local"],
      ["y", "copy a link to what you see"],
      ["Esc", "close, or back to the queue"],
    ],
  ],
  [
    "Queue",
    [
      ["j / k", "next, previous"],
      ["o or Enter", "open"],
      ["f", "filter the queue in CEL"],
      ["x", "select"],
      ["Shift X", "select from the last one to here"],
      ["e", "acknowledge"],
      [".", "show what is new"],
      ["/", "search"],
    ],
  ],
  [
    "Incident",
    [
      ["[ / ]", "previous, next in the queue"],
      ["e", "acknowledge"],
      ["c", "write a note"],
      ["u", "undo what was just done, where it can be"],
      ["m", "merge into another"],
      ["Shift M", "split selected evidence"],
      ["v", "graph or table"],
    ],
  ],
];

export function Shortcuts({ onClose }: { onClose: () => void }) {
  const { keys } = usePrefs();
  return (
    <Dialog title="Keyboard" onClose={onClose} wide>
      <div className="sheet">
        {[...GROUPS, ["Go to", PLACES.map((p) => [`g ${p.key}`, p.name] as [string, string])] as const].map(([name, rows]) => (
          <section key={name}>
            <h3>{name}</h3>
            <dl>
              {rows.map(([k, what]) => (
                <div key={k}>
                  <dt>
                    <kbd>{k}</kbd>
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p className="mute">Saying yes to a change has no single key, on purpose.</p>
      <label className="check">
        <input type="checkbox" checked={keys} onChange={(e) => setPrefs({ keys: e.target.checked })} />
        Single-key shortcuts
      </label>
    </Dialog>
  );
}
