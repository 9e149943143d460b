// The queue: what to do next. Rows never move by themselves; what is new waits behind a chip.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import { api, ask, Refused } from "../api/client";
import { type QueueSearch, queue, sources } from "../api/queries";
import type { QueuePage } from "../api/types";
import { useAct } from "../lib/act";
import { useKeys } from "../lib/keys";
import { human, plural, visible } from "../lib/text";
import { Age, Empty, Failed, Loading, T } from "../parts/basics";
import { ReasonDialog } from "../parts/dialog";
import { Export } from "../parts/export";
import { Own, Where } from "./queue-filter";
import { Preview, Row } from "./queue-row";
import { useSelection, useShown } from "./queue-shown";

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
  (["status", "owner", "waiting", "where", "q"] as const).every((k) => (a[k] ?? "") === (b[k] ?? ""));

export function Queue() {
  const search = route.useSearch();
  const { at, ...filter } = search;
  const navigate = useNavigate();
  const asked = useQuery(queue(filter));
  const key = JSON.stringify(filter);
  const page = asked.isPlaceholderData ? undefined : asked.data;
  const { ids, row: rowOf, fresh, gone, merge, see } = useShown(page, key, filter);
  // Until the answer to another filter is there, the rows of the one before are only looked at.
  const busy = page === undefined;
  const selection = useSelection(ids, key, busy);
  const [resolving, setResolving] = useState(false);
  const [allOf, setAllOf] = useState<string>();
  const all = allOf === key;
  const setAll = (on: boolean) => setAllOf(on ? key : undefined);
  const [asking, setAsking] = useState(false);
  const where = asking || filter.where !== undefined;
  const cursor = Math.max(0, ids.indexOf(at ?? ""));
  // Where the last key put it: the address follows a moment later, and the next key must not wait for it.
  const hand = useRef(at);
  const moves = useRef(new Set<string>());
  useEffect(() => {
    // Addresses of moves that later ones have overtaken do not pull it back.
    if (at !== hand.current && moves.current.has(at ?? "")) return;
    hand.current = at;
    moves.current.clear();
  }, [at]);
  const under = () => Math.max(0, ids.indexOf(hand.current ?? ""));
  const grid = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLInputElement>(null);
  const virtual = useVirtualizer({ count: ids.length, getScrollElement: () => grid.current, estimateSize: () => ROW, overscan: 12 });

  const items = virtual.getVirtualItems();
  const [from, to] = [items[0]?.index ?? 0, items[items.length - 1]?.index ?? 0];
  useEffect(() => {
    // A moment's rest: whoever drags the bar through ten thousand rows asks for the last ones only.
    const timer = window.setTimeout(() => see(from, to), 60);
    return () => window.clearTimeout(timer);
  }, [see, from, to]);

  const go = (change: QueueSearch) =>
    void navigate({ to: "/queue", search: (s) => ({ ...s, at: undefined, ...change }), replace: true });
  const move = (to: number) => {
    const index = Math.max(0, Math.min(ids.length - 1, to));
    const id = ids[index];
    if (!id) return virtual.scrollToIndex(index);
    hand.current = id;
    moves.current.add(id);
    void navigate({ to: "/queue", search: (s) => ({ ...s, at: id }), replace: true, resetScroll: false });
    virtual.scrollToIndex(ids.indexOf(id));
    requestAnimationFrame(() => grid.current?.querySelector<HTMLElement>(`[data-id="${id}"]`)?.focus());
  };
  const open = (id: string | undefined) => id && void navigate({ to: "/incidents/$id", params: { id } });

  const bulk = useAct(
    (asked: { action: string; incidents: string[]; reason?: string; matching?: QueueSearch; at_most?: number }) => ask(api.POST("/api/v1/bulk/incidents", { body: asked })),
    {
      said: (r) =>
        `${plural(r.done, "incident")} done${r.failed.length > 0 ? `; ${r.failed.length} not: ${r.failed[0]?.why}` : ""}`,
      after: (_, asked) => {
        // What was chosen while the answer was on its way stays chosen.
        if (asked.matching) selection.set([]);
        else selection.without(asked.incidents);
        setAll(false);
        setResolving(false);
      },
    },
  );
  const total = asked.data?.total ?? 0;
  /** What a change is about: those chosen, or all that match, counted as they were seen. */
  const about = () => (all ? { incidents: [], matching: filter, at_most: total } : { incidents: targets() });
  const chosenCount = all ? total : selection.chosen.size;
  const targets = () => (selection.chosen.size > 0 ? [...selection.chosen] : ids[under()] ? [ids[under()] as string] : []);

  useKeys({
    j: () => move(under() + 1),
    k: () => move(under() - 1),
    o: () => open(ids[under()]),
    f: () => setAsking((on) => !on),
    x: () => selection.toggle(under()),
    "Shift+X": () => selection.toggle(under(), true),
    e: () => targets().length > 0 && bulk.mutate({ action: "ack", ...about() }),
    ".": merge,
    "/": (e) => {
      e.preventDefault();
      box.current?.focus();
    },
  });

  const refused = asked.error instanceof Refused && asked.error.status === 400 && filter.where !== undefined;
  if (asked.error && !asked.data && !refused) return <Failed error={asked.error} again={() => void asked.refetch()} />;
  if (!asked.data && !refused) return <Loading what="the queue" />;
  const current = rowOf(ids[cursor]);
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
          <Own filter={filter} />
        </div>
        <Search key={filter.q ?? ""} value={filter.q ?? ""} box={box} onGive={(q) => go({ q: q || undefined } as QueueSearch)} />
        {asked.data ? <Facets page={asked.data} filter={filter} onChange={go} /> : null}
        <button type="button" className="chip" aria-pressed={where} onClick={() => setAsking(!asking)}>
          Filter <kbd>f</kbd>
        </button>
        <div className="tail">
          {fresh.length > 0 ? (
            <button type="button" className="chip fresh" onClick={merge}>
              {fresh.length} new <kbd>.</kbd>
            </button>
          ) : null}
          <span className="mute count-words" role="status">
            {refused ? "the filter is not one yet" : plural(total, "incident")}
          </span>
          <Export search={filter} disabled={refused || total === 0} />
        </div>
      </div>
      {where ? <Where filter={filter} error={asked.error} undecided={asked.data?.undecided ?? undefined} onGive={(where) => go({ where } as QueueSearch)} /> : null}
      {selection.chosen.size > 0 ? (
        <div className="bulk" role="region" aria-label="Selected">
          <strong>
            {plural(chosenCount, "incident")} selected{all ? ": all that match" : ""}
          </strong>
          <button type="button" className="btn" disabled={bulk.isPending} onClick={() => bulk.mutate({ action: "ack", ...about() })}>
            {bulk.isPending ? "Working…" : "Acknowledge"} <kbd>e</kbd>
          </button>
          <button type="button" className="btn" onClick={() => setResolving(true)}>
            Resolve…
          </button>
          {selection.chosen.size < total && !all ? (
            <button type="button" className="btn quiet" onClick={() => setAll(true)}>
              Select all {total.toLocaleString("en")} that match
            </button>
          ) : null}
          <button
            type="button"
            className="btn quiet"
            onClick={() => {
              setAll(false);
              selection.set([]);
            }}
          >
            Clear
          </button>
        </div>
      ) : null}
      {!asked.data || refused ? null : ids.length === 0 ? (
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
            aria-rowcount={ids.length}
            aria-multiselectable="true"
            aria-busy={busy}
            tabIndex={-1}
            onKeyDown={(e) => {
              const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -1e9, End: 1e9 };
              const by = steps[e.key];
              if (by !== undefined) {
                e.preventDefault();
                move(Math.max(0, Math.min(ids.length - 1, under() + by)));
              } else if (e.key === "Enter" && e.target instanceof HTMLElement && e.target.role === "row") open(ids[under()]);
            }}
          >
            <div role="presentation" className="grid-all" ref={(el) => el?.style.setProperty("height", `${virtual.getTotalSize()}px`)}>
              {items.map((v) => {
                const row = rowOf(ids[v.index]);
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
                ) : (
                  <div
                    key={v.key}
                    className="row coming"
                    role="row"
                    aria-rowindex={v.index + 1}
                    ref={(el) => el?.style.setProperty("transform", `translateY(${v.start}px)`)}
                  >
                    <span role="gridcell" className="mute">
                      Loading…
                    </span>
                  </div>
                );
              })}
            </div>
          </div>
          {current ? <Preview row={current} onAck={() => bulk.mutate({ action: "ack", incidents: [current.id] })} /> : null}
        </>
      )}
      {resolving ? (
        <ReasonDialog
          title={`Resolve ${plural(all ? total : targets().length, "incident")}`}
          button={`Resolve ${plural(all ? total : targets().length, "incident")}`}
          busy={bulk.isPending}
          onClose={() => setResolving(false)}
          onGive={(reason) => bulk.mutate({ action: "resolve", ...about(), reason })}
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
