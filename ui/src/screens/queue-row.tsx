// One row of the queue, and the preview of the one under the cursor.
import { Link } from "@tanstack/react-router";
import { memo } from "react";
import type { QueueRow } from "../api/types";
import { human, plural } from "../lib/text";
import { Age, Name, Severity, State, T, Time } from "../parts/basics";
import { ClockBar } from "../parts/clockcell";

interface RowProps {
  row: QueueRow;
  index: number;
  top: number;
  current: boolean;
  gone: boolean;
  chosen: boolean;
  onChoose: (index: number, range: boolean) => void;
  onCursor: (index: number) => void;
}

export const Row = memo(
  function Row({ row, index, top, current, gone, chosen, onChoose, onCursor }: RowProps) {
    return (
      <div
        role="row"
        className={`row${current ? " current" : ""}${gone ? " gone" : ""}${chosen ? " chosen" : ""}`}
        ref={(el) => el?.style.setProperty("transform", `translateY(${top}px)`)}
        aria-rowindex={index + 1}
        aria-selected={chosen}
        tabIndex={current ? 0 : -1}
        data-id={row.id}
        onClick={(e) => {
          if (e.target instanceof HTMLElement && !e.target.closest("a,input")) onCursor(index);
        }}
      >
        <span role="gridcell" className="c-box">
          <input
            type="checkbox"
            checked={chosen}
            tabIndex={-1}
            aria-label={`Select ${row.id}`}
            onClick={(e) => onChoose(index, e.shiftKey)}
            onChange={() => undefined}
          />
        </span>
        <span role="gridcell">
          <Severity word={row.severity} />
        </span>
        <span role="gridcell" className="num">
          <Age at={row.first_received} />
        </span>
        <span role="gridcell">
          <ClockBar cells={row.clock} waiting={row.waiting_on} />
        </span>
        <span role="gridcell" className="c-title">
          <Link to="/incidents/$id" params={{ id: row.id }} tabIndex={-1}>
            <span className="mono id">{row.id}</span> <T>{row.title}</T>
          </Link>
        </span>
        <span role="gridcell" className="c-entities">
          <T>{row.entities[0]}</T>
          {row.entities_total > 1 ? <span className="mute"> +{row.entities_total - 1}</span> : null}
        </span>
        <span role="gridcell">
          {gone ? <span className="state tone-mute">moved on</span> : <State word={row.status} />}
        </span>
        <span role="gridcell" className="c-waits">
          {row.waiting_on === "approval" ? <strong className="ask">a yes or no</strong> : row.waiting_on ? human(row.waiting_on) : "—"}
        </span>
        <span role="gridcell" className="c-owner">
          {row.acknowledged_by ? <T>{row.acknowledged_by}</T> : <span className="mute">nobody</span>}
        </span>
      </div>
    );
  },
  (a, b) =>
    a.row === b.row && a.index === b.index && a.top === b.top && a.current === b.current && a.gone === b.gone && a.chosen === b.chosen,
);

export function Preview({ row, onAck }: { row: QueueRow; onAck: () => void }) {
  return (
    <section className="preview" aria-label={`Preview of ${row.id}`}>
      <div className="preview-text">
        <h2>
          <span className="mono id">{row.id}</span> <T>{row.title}</T>
        </h2>
        <p>
          {plural(row.records, "record")} → {plural(row.alerts, "alert")} → 1 incident, {Math.round(row.confidence * 100)} % sure,
          from {plural(row.sources, "source")}.{" "}
          {row.entities_total > 0 ? (
            <>
              Takes part:{" "}
              {row.entities.map((e, n) => (
                <span key={e}>
                  {n > 0 ? ", " : ""}
                  <T>{e}</T>
                </span>
              ))}
              {row.entities_total > row.entities.length ? ` and ${row.entities_total - row.entities.length} more` : ""}.
            </>
          ) : null}
        </p>
        <p>
          {row.waiting_on && row.waiting_since ? (
            <>
              Waits for <strong>{human(row.waiting_on)}</strong> for <Age at={row.waiting_since} />.{" "}
            </>
          ) : null}
          {row.approvals.map((a) => (
            <span key={a}>
              <Name id={a} />{" "}
            </span>
          ))}
          {row.expires_at ? (
            <>
              open until <Time at={row.expires_at} />.{" "}
            </>
          ) : null}
          {row.live_blocks > 0 ? `${plural(row.live_blocks, "change")} in force.` : ""}
        </p>
      </div>
      <div className="preview-do">
        <Link className="btn primary" to="/incidents/$id" params={{ id: row.id }}>
          Open <kbd>o</kbd>
        </Link>
        {row.approvals[0] ? (
          <Link className="btn" to="/approvals/$id" params={{ id: row.approvals[0] }}>
            Review the question
          </Link>
        ) : null}
        {row.status === "triggered" ? (
          <button type="button" className="btn" onClick={onAck}>
            Acknowledge <kbd>e</kbd>
          </button>
        ) : null}
      </div>
    </section>
  );
}
