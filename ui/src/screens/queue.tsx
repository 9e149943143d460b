// The queue: what to do next. Rows never move by themselves; what is new waits behind a chip.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { api, ask } from "../api/client";
import { QUEUE_ROWS, type QueueSearch, queue, sources } from "../api/queries";
import type { QueuePage, QueueRow } from "../api/types";
import { useAct } from "../lib/act";
import { useKeys } from "../lib/keys";
import { settle } from "../lib/order";
import { save } from "../lib/save";
import { csvField, human, plural, visible } from "../lib/text";
import { Age, Empty, Failed, Loading, T } from "../parts/basics";
import { ReasonDialog } from "../parts/dialog";
import { Preview, Row } from "./queue-row";

const route = getRouteApi("/shell/queue");
const ROW = 36;

const VIEWS: { name: string; search: QueueSearch }[] = [
  { name: "Open", search: {} },
  { name: "Waiting for a yes", search: { waiting: true } },
  { name: "Nobody's", search: { owner: "none" } },
  { name: "Mine", search: { owner: "me" } },
  { name: "Resolved", search: { status: "resolved", sort: "newest" } },
  { name: "All", search: { status: "all", sort: "newest" } },
];

const same = (a: QueueSearch, b: QueueSearch) =>
  (["status", "owner", "waiting"] as const).every((k) => (a[k] ?? "") === (b[k] ?? ""));

/** What is shown: the order as it was taken over, each row as it is now. */
function useShown(page: QueuePage | undefined, key: string) {
  const [taken, setTaken] = useState<{ key: string; ids: string[] }>();
  const kept = useRef(new Map<string, QueueRow>());
  const latest = useMemo(() => page?.rows.map((r) => r.id) ?? [], [page]);
  for (const r of page?.rows ?? []) kept.current.set(r.id, r);
  // Another filter, or nothing there yet: there is no row that could be pulled from under somebody.
  const adopt = page !== undefined && (taken?.key !== key || taken.ids.length === 0);
  useEffect(() => {
    if (adopt) setTaken({ key, ids: latest });
  }, [adopt, key, latest]);
  const ids = adopt ? latest : (taken?.ids ?? []);
  const { fresh, gone } = useMemo(() => settle(ids, latest), [ids, latest]);
  const rows = ids.flatMap((id) => kept.current.get(id) ?? []);
  const merge = useCallback(() => setTaken({ key, ids: latest }), [key, latest]);
  return { rows, fresh, gone, merge };
}

function useSelection(ids: string[]) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const last = useRef<number>(-1);
  const toggle = (index: number, range = false) => {
    const next = new Set(chosen);
    const from = range && last.current >= 0 ? last.current : index;
    const on = !next.has(ids[index] ?? "");
    for (let n = Math.min(from, index); n <= Math.max(from, index); n++) {
      const id = ids[n];
      if (id) on ? next.add(id) : next.delete(id);
    }
    last.current = index;
    setChosen(next);
  };
  return { chosen, toggle, set: (all: string[]) => setChosen(new Set(all)) };
}

export function Queue() {
  const search = route.useSearch();
  const { at, ...filter } = search;
  const navigate = useNavigate();
  const asked = useQuery(queue(filter));
  const key = JSON.stringify(filter);
  const page = asked.isPlaceholderData ? undefined : asked.data;
  const { rows, fresh, gone, merge } = useShown(page, key);
  const ids = useMemo(() => rows.map((r) => r.id), [rows]);
  const selection = useSelection(ids);
  const [resolving, setResolving] = useState(false);
  const cursor = Math.max(0, ids.indexOf(at ?? ""));
  const grid = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLInputElement>(null);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => grid.current, estimateSize: () => ROW, overscan: 12 });

  const go = (change: QueueSearch) =>
    void navigate({ to: "/queue", search: (s) => ({ ...s, at: undefined, ...change }), replace: true });
  const move = (to: number) => {
    const id = ids[Math.max(0, Math.min(ids.length - 1, to))];
    if (!id) return;
    void navigate({ to: "/queue", search: (s) => ({ ...s, at: id }), replace: true, resetScroll: false });
    virtual.scrollToIndex(ids.indexOf(id));
    requestAnimationFrame(() => grid.current?.querySelector<HTMLElement>(`[data-id="${id}"]`)?.focus());
  };
  const open = (id: string | undefined) => id && void navigate({ to: "/incidents/$id", params: { id } });

  const bulk = useAct(
    (asked: { action: string; incidents: string[]; reason?: string }) => ask(api.POST("/api/v1/bulk/incidents", { body: asked })),
    {
      said: (r) =>
        `${plural(r.done, "incident")} done${r.failed.length > 0 ? `; ${r.failed.length} not: ${r.failed[0]?.why}` : ""}`,
      after: () => {
        selection.set([]);
        setResolving(false);
      },
    },
  );
  const targets = () => (selection.chosen.size > 0 ? [...selection.chosen] : ids[cursor] ? [ids[cursor]] : []);

  useKeys({
    j: () => move(cursor + 1),
    k: () => move(cursor - 1),
    o: () => open(ids[cursor]),
    x: () => selection.toggle(cursor),
    "Shift+X": () => selection.toggle(cursor, true),
    e: () => targets().length > 0 && bulk.mutate({ action: "ack", incidents: targets() }),
    ".": merge,
    "/": (e) => {
      e.preventDefault();
      box.current?.focus();
    },
  });

  if (asked.error && !asked.data) return <Failed error={asked.error} again={() => void asked.refetch()} />;
  if (!asked.data) return <Loading what="the queue" />;
  const current = rows[cursor];
  return (
    <div className="queue">
      <h1 className="hidden">Queue</h1>
      <div className="bar">
        <div className="views" role="group" aria-label="Views">
          {VIEWS.map((v) => (
            <button
              key={v.name}
              type="button"
              className="chip"
              aria-pressed={same(v.search, filter)}
              onClick={() => void navigate({ to: "/queue", search: v.search })}
            >
              {v.name}
            </button>
          ))}
        </div>
        <Search key={filter.q ?? ""} value={filter.q ?? ""} box={box} onGive={(q) => go({ q: q || undefined } as QueueSearch)} />
        <Facets page={asked.data} filter={filter} onChange={go} />
        <span className="grow" />
        {fresh.length > 0 ? (
          <button type="button" className="chip fresh" onClick={merge}>
            {fresh.length} new <kbd>.</kbd>
          </button>
        ) : null}
        <span className="mute count-words" role="status">
          {plural(asked.data.total, "incident")}
          {asked.data.total > QUEUE_ROWS ? `, the first ${QUEUE_ROWS} shown` : ""}
        </span>
        <button type="button" className="btn quiet wide-only" onClick={() => saveCsv(rows)} disabled={rows.length === 0}>
          CSV
        </button>
      </div>
      {selection.chosen.size > 0 ? (
        <div className="bulk" role="region" aria-label="Selected">
          <strong>{plural(selection.chosen.size, "incident")} selected</strong>
          <button type="button" className="btn" disabled={bulk.isPending} onClick={() => bulk.mutate({ action: "ack", incidents: targets() })}>
            Acknowledge <kbd>e</kbd>
          </button>
          <button type="button" className="btn" onClick={() => setResolving(true)}>
            Resolve…
          </button>
          {selection.chosen.size < rows.length ? (
            <button type="button" className="btn quiet" onClick={() => selection.set(ids)}>
              Select all {rows.length}
            </button>
          ) : null}
          <button type="button" className="btn quiet" onClick={() => selection.set([])}>
            Clear
          </button>
        </div>
      ) : null}
      {rows.length === 0 ? (
        <Nothing page={asked.data} filtered={key !== "{}"} onClear={() => void navigate({ to: "/queue", search: {} })} />
      ) : (
        <>
          <div className="grid-head" aria-hidden="true">
            <span />
            <span>Severity</span>
            <span>Age</span>
            <span>Clock</span>
            <span>Incident</span>
            <span>Who takes part</span>
            <span>State</span>
            <span>Waits for</span>
            <span>Owner</span>
          </div>
          <div
            className="grid"
            ref={grid}
            role="grid"
            aria-label="Incidents in the order of work"
            aria-rowcount={rows.length}
            aria-multiselectable="true"
            tabIndex={-1}
            onKeyDown={(e) => {
              const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -1e9, End: 1e9 };
              const by = steps[e.key];
              if (by !== undefined) {
                e.preventDefault();
                move(Math.max(0, Math.min(rows.length - 1, cursor + by)));
              } else if (e.key === "Enter" && e.target instanceof HTMLElement && e.target.role === "row") open(ids[cursor]);
            }}
          >
            <div role="presentation" className="grid-all" ref={(el) => el?.style.setProperty("height", `${virtual.getTotalSize()}px`)}>
              {virtual.getVirtualItems().map((v) => {
                const row = rows[v.index];
                return row ? (
                  <Row
                    key={row.id}
                    row={row}
                    index={v.index}
                    top={v.start}
                    current={v.index === cursor}
                    gone={gone.has(row.id)}
                    chosen={selection.chosen.has(row.id)}
                    onChoose={selection.toggle}
                    onCursor={move}
                  />
                ) : null;
              })}
            </div>
          </div>
          {current ? <Preview row={current} onAck={() => bulk.mutate({ action: "ack", incidents: [current.id] })} /> : null}
        </>
      )}
      {resolving ? (
        <ReasonDialog
          title={`Resolve ${plural(targets().length, "incident")}`}
          button={`Resolve ${plural(targets().length, "incident")}`}
          busy={bulk.isPending}
          onClose={() => setResolving(false)}
          onGive={(reason) => bulk.mutate({ action: "resolve", incidents: targets(), reason })}
        >
          <p>Incidents with a change in force are left as they are, and named.</p>
        </ReasonDialog>
      ) : null}
    </div>
  );
}

function Search({ value, box, onGive }: { value: string; box: React.RefObject<HTMLInputElement | null>; onGive: (q: string) => void }) {
  return (
    <form
      role="search"
      className="search"
      onSubmit={(e) => {
        e.preventDefault();
        onGive(String(new FormData(e.currentTarget).get("q") ?? "").trim());
      }}
    >
      <input
        ref={box}
        name="q"
        type="search"
        defaultValue={value}
        maxLength={200}
        placeholder="Address, host, words  /"
        aria-label="Search incidents"
        onKeyDown={(e) => {
          if (e.key === "Escape") e.currentTarget.blur();
        }}
      />
    </form>
  );
}

const FACETS = ["severity", "kind", "team"] as const;

function Facets({ page, filter, onChange }: { page: QueuePage; filter: QueueSearch; onChange: (change: QueueSearch) => void }) {
  return (
    <div className="facets">
      {FACETS.map((field) => {
        const values = page.facets.filter((f) => f.field === field && f.value !== "");
        const chosen = filter[field] ?? "";
        // One value only is no choice.
        if (values.length < 2 && !chosen) return null;
        const all = values.some((v) => v.value.toLowerCase() === chosen.toLowerCase()) || !chosen ? values : [...values, { value: chosen, count: 0 }];
        return (
          <select
            key={field}
            aria-label={`Only this ${field}`}
            value={all.find((v) => v.value.toLowerCase() === chosen.toLowerCase())?.value ?? ""}
            className={chosen ? "on" : ""}
            onChange={(e) => onChange({ [field]: e.target.value || undefined })}
          >
            <option value="">Any {field}</option>
            {all.map((v) => (
              <option key={v.value} value={v.value}>
                {visible(human(v.value))} ({v.count})
              </option>
            ))}
          </select>
        );
      })}
      <select
        aria-label="Order"
        value={filter.sort ?? "priority"}
        onChange={(e) => onChange({ sort: e.target.value === "priority" ? undefined : e.target.value } as QueueSearch)}
      >
        <option value="priority">By urgency</option>
        <option value="newest">Newest first</option>
        <option value="oldest">Oldest first</option>
        <option value="activity">Latest activity</option>
      </select>
    </div>
  );
}

function Nothing({ page, filtered, onClear }: { page: QueuePage; filtered: boolean; onClear: () => void }) {
  const known = useQuery(sources()).data?.sources;
  const heard = known?.filter((s) => s.last_heard).sort((a, b) => (b.last_heard ?? "").localeCompare(a.last_heard ?? ""));
  if (filtered) {
    return (
      <Empty title="Nothing here">
        <p>{page.unfiltered > 0 ? `${plural(page.unfiltered, "incident")} of this status ${page.unfiltered === 1 ? "is" : "are"} hidden by the filter.` : "No incident has this status."}</p>
        <button type="button" className="btn" onClick={onClear}>
          Show all that are open
        </button>
      </Empty>
    );
  }
  if (known && heard?.length === 0) {
    return (
      <Empty title="No source has spoken yet">
        <p>Send a first record, from the folder of the configuration:</p>
        <pre className="code">stanch ingest eve.json --source suricata</pre>
        <p>
          Configured: {known.length === 0 ? "none" : known.map((s) => s.name).join(", ")}. The screen fills by itself.
        </p>
      </Empty>
    );
  }
  const silent = known?.filter((s) => s.silent) ?? [];
  return (
    <Empty title="All clear">
      <p>No incident is open.</p>
      {heard?.[0]?.last_heard ? (
        <p>
          Last heard: <T>{heard[0].name}</T>, <Age at={heard[0].last_heard} /> ago. {plural(silent.length, "source")} silent for
          longer than {silent.length === 1 ? "it" : "they"} should be.
        </p>
      ) : null}
    </Empty>
  );
}

function saveCsv(rows: QueueRow[]): void {
  const head = ["id", "severity", "status", "title", "confidence", "owner", "team", "opened_at", "alerts", "records", "waiting_on"];
  const line = (r: QueueRow) =>
    [r.id, r.severity, r.status, r.title, r.confidence.toFixed(2), r.acknowledged_by, r.team, r.opened_at, r.alerts, r.records, r.waiting_on]
      .map(csvField)
      .join(",");
  save("stanch-queue.csv", "text/csv", [head.join(","), ...rows.map(line)].join("\r\n"));
}
