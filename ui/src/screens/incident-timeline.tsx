// The timeline: what happened, what was done, and the waits in between as rows of their own.
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import * as q from "../api/queries";
import type { TimelineRow } from "../api/types";
import { useNow } from "../lib/now";
import { csvField, human } from "../lib/text";
import { saveText } from "../lib/save";
import { span } from "../lib/time";
import { Name, Panel, Show, T, Time } from "../parts/basics";
import type { IncidentSearch } from "../router";

const KINDS = [
  { by: undefined, name: "All" },
  { by: "evidence", name: "Evidence" },
  { by: "machine", name: "Machine" },
  { by: "person", name: "People" },
  { by: "gap", name: "Waits" },
];

/** Rows that speak of an entity; waits stay, because they concern everybody. */
export function about(rows: TimelineRow[], entity: string | undefined): TimelineRow[] {
  if (!entity) return rows;
  const value = entity.replace(/^(host|user):/, "");
  return rows.filter((r) => r.by === "gap" || r.text.includes(value));
}

function Lasted({ row }: { row: TimelineRow }) {
  const now = useNow();
  if (!row.open) return <strong>{span(row.lasted_ms ?? 0)}</strong>;
  return <strong>{span(Math.max(row.lasted_ms ?? 0, now - new Date(row.at).getTime()))} so far</strong>;
}

function One({ row, id }: { row: TimelineRow; id: string }) {
  if (row.by === "gap") {
    return (
      <li className={`t-row t-gap on-${row.what}`}>
        <span className="t-line" aria-hidden="true" />
        <span>
          <Lasted row={row} /> {row.text}
        </span>
        <span className="t-line" aria-hidden="true" />
      </li>
    );
  }
  return (
    <li className={`t-row t-${row.by}`}>
      <span className="t-at">
        <Time at={row.at} />
      </span>
      <span className="t-by">
        {row.by === "evidence" ? "seen" : row.by === "person" ? "person" : "stanch"}
      </span>
      <span className="t-text">
        <T>{row.text}</T>{" "}
        <span className="cites">
          {row.alerts.map((a) => (
            <Name key={a} id={a} incident={id} />
          ))}
          {row.more > 0 ? <span className="mute">+{row.more}</span> : null}
        </span>
      </span>
    </li>
  );
}

export function Timeline({
  id,
  search,
  onSet,
}: {
  id: string;
  search: IncidentSearch;
  onSet: (change: IncidentSearch | { show: undefined } | { entity: undefined }) => void;
}) {
  const asked = useQuery(q.timeline(id));
  const rows = useMemo(() => {
    const of = about(asked.data?.rows ?? [], search.entity);
    return search.show ? of.filter((r) => r.by === search.show) : of;
  }, [asked.data, search.entity, search.show]);
  const csv = () =>
    saveText(
      `${id}-timeline.csv`,
      "text/csv",
      ["at,clock,by,what,text,lasted_ms,alerts"]
        .concat(rows.map((r) => [r.at, r.clock, r.by, r.what, r.text, r.lasted_ms, r.alerts.join(" ")].map(csvField).join(",")))
        .join("\r\n"),
    );
  return (
    <Panel
      title="Timeline"
      side={
        <>
          <div className="views" role="group" aria-label="Show">
            {KINDS.map((k) => (
              <button
                key={k.name}
                type="button"
                className="chip"
                aria-pressed={search.show === k.by}
                onClick={() => onSet({ show: k.by } as IncidentSearch)}
              >
                {k.name}
              </button>
            ))}
          </div>
          <button type="button" className="btn quiet" onClick={csv}>
            CSV
          </button>
        </>
      }
    >
      {search.entity ? (
        <p className="filtered">
          Only what speaks of <strong><T>{search.entity}</T></strong>.{" "}
          <button type="button" className="btn quiet" onClick={() => onSet({ entity: undefined })}>
            Show all
          </button>
        </p>
      ) : null}
      <Show of={asked} what="the timeline">
        {() =>
          rows.length === 0 ? (
            <p className="mute pad">Nothing of this kind{search.show ? `: ${human(search.show)}` : ""}.</p>
          ) : (
            <ol className="timeline">
              {rows.map((r, n) => (
                <One key={`${r.at}${r.by}${n}`} row={r} id={id} />
              ))}
            </ol>
          )
        }
      </Show>
    </Panel>
  );
}
