// What the queue shows: the order as it was taken over, each row as it is now, and further pages of a long
// queue where somebody scrolls to them.
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { QUEUE_ROWS, type QueueSearch, queuePage } from "../api/queries";
import type { QueuePage, QueueRow } from "../api/types";
import { settle } from "../lib/order";

interface Taken {
  key: string;
  /** Of the first page, which is kept up to date. */
  ids: string[];
  /** How many there are in all. */
  total: number;
}

export interface Shown {
  /** As many as there are; undefined where a page has not come yet. */
  ids: readonly (string | undefined)[];
  row: (id: string | undefined) => QueueRow | undefined;
  fresh: string[];
  gone: ReadonlySet<string>;
  merge: () => void;
  /** Says which rows are on the screen, so that their page is asked for. */
  see: (from: number, to: number) => void;
}

export function useShown(page: QueuePage | undefined, key: string, search: QueueSearch): Shown {
  const [taken, setTaken] = useState<Taken>();
  const [further, setFurther] = useState<ReadonlyMap<number, string[]>>(new Map());
  const kept = useRef(new Map<string, QueueRow>());
  const asked = useRef(new Set<number>());
  const client = useQueryClient();
  const latestSearch = useRef(search);
  latestSearch.current = search;
  const latest = useMemo(() => page?.rows.map((r) => r.id) ?? [], [page]);
  for (const r of page?.rows ?? []) kept.current.set(r.id, r);
  const total = page?.total ?? 0;
  // Another filter, or nothing there yet: there is no row that could be pulled from under somebody.
  const adopt = page !== undefined && (taken?.key !== key || taken.ids.length === 0);
  const take = useCallback(() => {
    setTaken({ key, ids: latest, total });
    setFurther(new Map());
    asked.current.clear();
  }, [key, latest, total]);
  useEffect(() => {
    if (adopt) take();
  }, [adopt, take]);

  const first = adopt ? latest : (taken?.ids ?? []);
  const count = adopt ? total : (taken?.total ?? 0);
  const { fresh, gone } = useMemo(() => {
    const all = settle(first, latest);
    const later = new Set([...further.values()].flat());
    // In a long queue a row that left the first page may only stand lower now.
    return { fresh: all.fresh.filter((id) => !later.has(id)), gone: total > QUEUE_ROWS ? new Set<string>() : all.gone };
  }, [first, latest, further, total]);

  const ids = useMemo(() => {
    const all: (string | undefined)[] = [...first];
    all.length = Math.max(first.length, count);
    const known = new Set(first);
    for (const [n, some] of further) {
      some.forEach((id, m) => {
        // What moved up since then is shown once.
        if (!known.has(id)) all[n * QUEUE_ROWS + m] = id;
      });
    }
    return all;
  }, [first, count, further]);

  const see = useCallback(
    (from: number, to: number) => {
      for (let n = Math.max(1, Math.floor(from / QUEUE_ROWS)); n <= Math.floor(to / QUEUE_ROWS); n++) {
        if (asked.current.has(n) || n * QUEUE_ROWS >= count) continue;
        asked.current.add(n);
        client
          .fetchQuery(queuePage(latestSearch.current, n * QUEUE_ROWS))
          .then((p) => {
            for (const r of p.rows) kept.current.set(r.id, r);
            setFurther((f) => new Map(f).set(n, p.rows.map((r) => r.id)));
          })
          .catch(() => asked.current.delete(n));
      }
    },
    [client, count],
  );
  const row = useCallback((id: string | undefined) => (id === undefined ? undefined : kept.current.get(id)), []);
  return { ids, row, fresh, gone, merge: take, see };
}

/** Rows that were chosen, until another filter is asked for: nothing that is out of sight is changed. */
export function useSelection(ids: readonly (string | undefined)[], key: string, busy: boolean) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const last = useRef<number>(-1);
  useEffect(() => {
    setChosen(new Set());
    last.current = -1;
  }, [key]);
  const toggle = (index: number, range = false) => {
    if (busy) return;
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
  const without = (some: string[]) => setChosen((all) => new Set([...all].filter((id) => !some.includes(id))));
  return { chosen, toggle, without, set: (all: string[]) => setChosen(new Set(all)) };
}
