// Live: one tab listens to the server, and tells the others.
//
// Browsers allow six connections to a host over all tabs, so that one stream a tab would soon block
// everything. A lock chooses the tab that listens; a channel carries what it hears. Messages say what
// changed, never what it is now: each tab asks for what it shows.
import type { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import type { ChangeView } from "../api/types";
import { stale } from "./stale";

export interface Live {
  state: "connecting" | "live" | "offline";
  /** When the server was last heard. */
  heard: number;
}

type Message = { is: "state"; live: Live } | { is: "change"; change: ChangeView } | { is: "resync" } | { is: "who" };

/** Without any sign for this long the stream is dead: the server says something every 15 s. */
const SILENT = 40_000;
/** Changes are collected for so long, so that a storm asks once and not a hundred times. */
const COLLECT = 300;

let live: Live = { state: "connecting", heard: Date.now() };
const listeners = new Set<() => void>();

function setLive(next: Live): void {
  if (next.state === live.state && next.state === "live" && next.heard - live.heard < 5_000) {
    live.heard = next.heard;
    return;
  }
  live = next;
  for (const l of listeners) l();
}

export function useLive(): Live {
  return useSyncExternalStore(
    (l) => {
      listeners.add(l);
      return () => listeners.delete(l);
    },
    () => live,
  );
}

class Collector {
  private timer: number | undefined;
  private kinds = new Set<string>();
  private incidents = new Set<string>();
  private everything = false;

  constructor(private readonly client: QueryClient) {}

  add(message: Message): void {
    if (message.is === "resync") this.everything = true;
    if (message.is === "change") {
      for (const kind of Object.keys(message.change.kinds)) this.kinds.add(kind);
      for (const id of message.change.incidents) this.incidents.add(id);
      // Outcomes name their effect and not their incident.
      if (message.change.many || this.kinds.has("settled")) this.incidents.add("*");
    }
    this.timer ??= window.setTimeout(() => this.flush(), COLLECT);
  }

  private flush(): void {
    this.timer = undefined;
    const { kinds, incidents, everything } = this;
    this.kinds = new Set();
    this.incidents = new Set();
    this.everything = false;
    if (everything) {
      void this.client.invalidateQueries();
      return;
    }
    const words = stale([...kinds]);
    void this.client.invalidateQueries({
      predicate: ({ queryKey: [first, id] }) =>
        words.has(first as string) ||
        (first === "incident" && (incidents.has("*") || incidents.has(id as string))),
    });
  }
}

/** Listens to the server while this tab holds the lock. */
class Leader {
  private source: EventSource | undefined;
  private last: string | undefined;
  private watch: number | undefined;
  private retry: number | undefined;
  private wait = 1_000;

  constructor(
    private readonly tell: (message: Message) => void,
    private readonly signedOut: () => void,
  ) {}

  start(): void {
    this.connect();
    this.watch = window.setInterval(() => {
      if (live.state === "live" && Date.now() - live.heard > SILENT) this.lost();
    }, 5_000);
    window.addEventListener("offline", this.lost);
    window.addEventListener("online", this.again);
  }

  stop(): void {
    window.clearInterval(this.watch);
    window.clearTimeout(this.retry);
    window.removeEventListener("offline", this.lost);
    window.removeEventListener("online", this.again);
    this.source?.close();
  }

  private connect(): void {
    this.source?.close();
    const after = this.last === undefined ? "" : `?after=${this.last}`;
    const source = new EventSource(`/api/v1/events${after}`);
    this.source = source;
    const heard = (e: MessageEvent) => {
      if (e.lastEventId !== "") this.last = e.lastEventId;
      this.wait = 1_000;
      this.state("live");
    };
    source.addEventListener("hello", (e) => {
      // What was missed follows; what failed meanwhile has to be asked again all the same.
      if (live.state === "offline") this.tell({ is: "resync" });
      heard(e);
    });
    source.addEventListener("alive", heard);
    source.addEventListener("change", (e) => {
      heard(e);
      this.tell({ is: "change", change: JSON.parse(e.data) as ChangeView });
    });
    source.addEventListener("resync", (e) => {
      heard(e);
      this.tell({ is: "resync" });
    });
    source.addEventListener("error", () => this.lost());
  }

  private state(state: Live["state"]): void {
    this.tell({ is: "state", live: { state, heard: state === "live" ? Date.now() : live.heard } });
  }

  private readonly lost = (): void => {
    this.source?.close();
    this.state("offline");
    window.clearTimeout(this.retry);
    this.retry = window.setTimeout(() => void this.knock(), this.wait);
    this.wait = Math.min(this.wait * 2, 15_000);
  };

  private readonly again = (): void => {
    this.wait = 1_000;
    window.clearTimeout(this.retry);
    void this.knock();
  };

  /** A stream cannot say why it was refused, so an ordinary question goes first. */
  private async knock(): Promise<void> {
    try {
      const answer = await fetch("/api/v1/whoami", { headers: { "X-Stanch-Console": "1" } });
      if (answer.status === 401) return this.signedOut();
      if (!answer.ok) return this.lost();
      this.connect();
    } catch {
      this.lost();
    }
  }
}

/** Begins to listen; returns what ends it. */
export function listen(client: QueryClient, signedOut: () => void): () => void {
  const collector = new Collector(client);
  const channel = "BroadcastChannel" in window ? new BroadcastChannel("stanch-live") : undefined;
  const hear = (message: Message) => {
    if (message.is === "state") setLive(message.live);
    else if (message.is === "change" || message.is === "resync") collector.add(message);
  };
  const tell = (message: Message) => {
    hear(message);
    channel?.postMessage(message);
  };
  const leader = new Leader(tell, signedOut);
  let leading = false;
  const lead = () => {
    leading = true;
    leader.start();
  };
  channel?.addEventListener("message", (e: MessageEvent<Message>) => {
    if (e.data.is === "who") {
      if (leading) channel.postMessage({ is: "state", live });
    } else hear(e.data);
  });
  channel?.postMessage({ is: "who" });
  const gone = new AbortController();
  let release: (() => void) | undefined;
  if (navigator.locks && channel) {
    const held = navigator.locks.request("stanch-live", { signal: gone.signal }, () => {
      lead();
      return new Promise<void>((done) => {
        release = done;
      });
    });
    // Ended before it was our turn: there is nothing to undo.
    held.catch(() => undefined);
  } else lead();
  return () => {
    gone.abort();
    if (leading) leader.stop();
    release?.();
    channel?.close();
  };
}
