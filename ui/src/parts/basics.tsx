// Small parts that every screen uses. Text from outside goes through `T` and nothing else.
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Refused, Unreachable } from "../api/client";
import { useNow } from "../lib/now";
import { usePrefs } from "../lib/prefs";
import { capital, human, isName, visible } from "../lib/text";
import { moment, span } from "../lib/time";

/** Text from outside: as text, apart from what stands around it, with nothing hidden in it. */
export function T({ children }: { children: string | undefined | null }) {
  return <bdi>{visible(children ?? "")}</bdi>;
}

export function Time({ at, short = true }: { at: string; short?: boolean }) {
  const { zone } = usePrefs();
  const now = useNow();
  return (
    <time dateTime={at} title={moment(at, zone === "utc" ? "local" : "utc", now)}>
      {moment(at, zone, now, short)}
    </time>
  );
}

/** How long ago, ticking. */
export function Age({ at }: { at: string }) {
  const { zone } = usePrefs();
  const now = useNow();
  const ms = Math.max(0, now - new Date(at).getTime());
  return (
    <time dateTime={at} title={moment(at, zone, now)}>
      {ms < 1_000 ? "now" : span(ms)}
    </time>
  );
}

const SHAPES: Record<string, string> = {
  fatal: "M8 1 15 8 8 15 1 8z",
  critical: "M8 1.5 15 14H1z",
  high: "M8 3 13.5 13h-11z",
  medium: "M3 3h10v10H3z",
  low: "M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3z",
};

/** Severity as shape, word and colour: none of them alone. */
export function Severity({ word }: { word: string }) {
  const key = word.toLowerCase();
  const shape = SHAPES[key] ?? "M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6z";
  return (
    <span className={`sev sev-${SHAPES[key] ? key : "info"}`}>
      <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
        <path d={shape} fill="currentColor" />
      </svg>
      {capital(key)}
    </span>
  );
}

const STATE_TONES: Record<string, string> = {
  triggered: "bad",
  acknowledged: "info",
  contained: "good",
  resolved: "mute",
  pending: "warn",
  approved: "good",
  denied: "mute",
  expired: "mute",
  withdrawn: "mute",
  permitted: "info",
  in_force: "good",
  lifted: "mute",
  failed: "bad",
  unknown: "bad",
  running: "info",
  completed: "good",
  declined: "mute",
  handed: "warn",
};

export function State({ word }: { word: string }) {
  return <span className={`state tone-${STATE_TONES[word] ?? "mute"}`}>{human(word)}</span>;
}

export function Simulated() {
  return (
    <span className="state tone-warn" title="Nothing real is changed by this device">
      simulated
    </span>
  );
}

/** One of our own names as a link to its page. Anything else stays text. */
export function Name({ id, incident }: { id: string; incident?: string | undefined }) {
  if (isName(id)) {
    if (id.startsWith("INC-")) return <Link to="/incidents/$id" params={{ id }}>{id}</Link>;
    if (id.startsWith("APR-")) return <Link to="/approvals/$id" params={{ id }}>{id}</Link>;
    if (id.startsWith("RUN-")) return <Link to="/runs/$id" params={{ id }}>{id}</Link>;
    if (id.startsWith("A-") && incident && isName(incident)) {
      return (
        <Link to="/incidents/$id" params={{ id: incident }} search={(s) => ({ ...s, alert: id })} resetScroll={false}>
          {id}
        </Link>
      );
    }
  }
  return <span className="mono">{visible(id)}</span>;
}

export function Key({ children }: { children: string }) {
  return <kbd>{children}</kbd>;
}

export function Loading({ what }: { what: string }) {
  return (
    <div className="loading" role="status">
      <span className="bar" aria-hidden="true" />
      Loading {what}…
    </div>
  );
}

export function Failed({ error, again }: { error: unknown; again?: (() => void) | undefined }) {
  const said = error instanceof Refused ? error : undefined;
  return (
    <div className="failed" role="alert">
      <strong>{error instanceof Unreachable ? "The server does not answer" : visible((error as Error).message)}</strong>
      {said?.mend ? <p>{visible(said.mend)}</p> : null}
      {said ? <p className="mute mono">{said.code}</p> : null}
      {again ? (
        <button type="button" className="btn" onClick={again}>
          Try again
        </button>
      ) : null}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

interface Asked<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** A question in its three states. What was there before stays on the screen when a later try fails. */
export function Show<T>({ of, what, children }: { of: Asked<T>; what: string; children: (data: T) => ReactNode }) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.error) return <Failed error={of.error} again={() => void of.refetch()} />;
  return <Loading what={what} />;
}

export function Panel({ title, side, children, id }: { title: string; side?: ReactNode; children: ReactNode; id?: string }) {
  return (
    <section className="panel" aria-label={title} id={id}>
      <header>
        <h2>{title}</h2>
        {side}
      </header>
      {children}
    </section>
  );
}

export function Page({ title, side, children }: { title: string; side?: ReactNode; children: ReactNode }) {
  return (
    <div className="page">
      <header className="page-head">
        <h1>{title}</h1>
        {side}
      </header>
      {children}
    </div>
  );
}

/** A table that may be wider than the screen: it scrolls by itself, also by keyboard. */
export function Wide({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div role="group" className="wide" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}
