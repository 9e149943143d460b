// The alerts an incident rests on: each can be opened, and taken out again.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import * as q from "../api/queries";
import type { AlertSummary } from "../api/types";
import { plural } from "../lib/text";
import { Panel, Severity, Show, T, Time, Wide } from "../parts/basics";

const of = (a: AlertSummary, entity: string) => {
  const value = entity.replace(/^(host|user):/, "");
  return a.src === value || a.dst === value || a.title.includes(value);
};

/** Rows shown before somebody asks for more. */
const FIRST = 50;

export function Evidence({
  id,
  entity,
  chosen,
  onChoose,
  onSplit,
  onOpen,
}: {
  id: string;
  entity: string | undefined;
  chosen: ReadonlySet<string>;
  onChoose: (all: ReadonlySet<string>) => void;
  onSplit: () => void;
  onOpen: (alert: string) => void;
}) {
  const asked = useQuery(q.evidence(id));
  const [all, setAll] = useState(false);
  const toggle = (a: string) => {
    const next = new Set(chosen);
    if (!next.delete(a)) next.add(a);
    onChoose(next);
  };
  return (
    <Panel
      title="Evidence"
      side={
        chosen.size > 0 ? (
          <span>
            {plural(chosen.size, "alert")} selected{" "}
            <button type="button" className="btn" onClick={onSplit}>
              Split out… <kbd>Shift M</kbd>
            </button>{" "}
            <button type="button" className="btn quiet" onClick={() => onChoose(new Set())}>
              Clear
            </button>
          </span>
        ) : undefined
      }
    >
      <Show of={asked} what="the evidence">
        {(page) => {
          const found = entity ? page.alerts.filter((a) => of(a, entity)) : page.alerts;
          const rows = all ? found : found.slice(0, FIRST);
          return (
            <>
              <Wide label="Evidence, as a table">
                <table>
                  <thead>
                    <tr>
                      <th scope="col">
                        <span className="hidden">Select</span>
                      </th>
                      <th scope="col">Alert</th>
                      <th scope="col">Severity</th>
                      <th scope="col">When, by the source</th>
                      <th scope="col">What</th>
                      <th scope="col">From → to</th>
                      <th scope="col" className="num">
                        Records
                      </th>
                      <th scope="col" className="num">
                        Score
                      </th>
                      <th scope="col">Source</th>
                    </tr>
                  </thead>
                  <tbody>
                    {rows.map((a) => (
                      <tr key={a.id}>
                        <td>
                          <input type="checkbox" checked={chosen.has(a.id)} onChange={() => toggle(a.id)} aria-label={`Select ${a.id}`} />
                        </td>
                        <td>
                          <button type="button" className="linklike mono" onClick={() => onOpen(a.id)}>
                            {a.id}
                          </button>
                        </td>
                        <td>
                          <Severity word={a.severity} />
                        </td>
                        <td className="nowrap">
                          <Time at={a.first} />
                        </td>
                        <td className="grow-cell">
                          <T>{a.title}</T>
                        </td>
                        <td className="mono nowrap">
                          <T>{a.src ?? "—"}</T> → <T>{a.dst ?? "—"}</T>
                        </td>
                        <td className="num">{a.count.toLocaleString("en")}</td>
                        <td className="num">{a.score.toFixed(2)}</td>
                        <td>
                          <T>{a.source}</T>
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Wide>
              {rows.length < found.length ? (
                <p className="pad">
                  <button type="button" className="btn" onClick={() => setAll(true)}>
                    Show {found.length - rows.length} more
                  </button>
                </p>
              ) : null}
              {page.next_before ? <p className="mute pad">The newest 200 are shown. All: <code>stanch alerts --incident {id}</code></p> : null}
              {rows.length === 0 ? <p className="mute pad">No alert of this incident speaks of it directly.</p> : null}
            </>
          );
        }}
      </Show>
    </Panel>
  );
}
