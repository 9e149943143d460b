// Times as people read them: always with their zone, never a bare number.

export type Zone = "utc" | "local";

const part = (n: number) => String(n).padStart(2, "0");

/** The short name of the local zone at a moment, for example GMT+1. */
export function zoneName(at: Date, zone: Zone): string {
  if (zone === "utc") return "UTC";
  const minutes = -at.getTimezoneOffset();
  if (minutes === 0) return "UTC+0";
  const sign = minutes < 0 ? "−" : "+";
  const h = Math.floor(Math.abs(minutes) / 60);
  const m = Math.abs(minutes) % 60;
  return `UTC${sign}${h}${m ? `:${part(m)}` : ""}`;
}

/** 2026-11-22 10:58:12 UTC; without the date when it is today's and `short` is wanted. */
export function moment(iso: string, zone: Zone, now: number, short = false): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const [y, mo, d, h, mi, s] =
    zone === "utc"
      ? [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()]
      : [at.getFullYear(), at.getMonth(), at.getDate(), at.getHours(), at.getMinutes(), at.getSeconds()];
  const clock = `${part(h)}:${part(mi)}:${part(s)} ${zoneName(at, zone)}`;
  if (short && sameDay(at, new Date(now), zone)) return clock;
  return `${y}-${part(mo + 1)}-${part(d)} ${clock}`;
}

function sameDay(a: Date, b: Date, zone: Zone): boolean {
  return zone === "utc"
    ? a.toISOString().slice(0, 10) === b.toISOString().slice(0, 10)
    : a.toDateString() === b.toDateString();
}

/** A length of time in its two largest units: 2 m 40 s, 3 h 5 m, 12 d 4 h. */
export function span(ms: number): string {
  const all: [number, string][] = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "m"],
    [1_000, "s"],
  ];
  const abs = Math.abs(ms);
  if (abs < 1_000) return `${Math.round(abs)} ms`;
  const first = all.findIndex(([unit]) => abs >= unit);
  const [unit, name] = all[first]!;
  const whole = Math.floor(abs / unit);
  const next = all[first + 1];
  const rest = next ? Math.floor((abs % unit) / next[0]) : 0;
  return next && rest > 0 ? `${whole} ${name} ${rest} ${next[1]}` : `${whole} ${name}`;
}

/** mm:ss, or h:mm:ss: for what counts down. */
export function countdown(ms: number): string {
  const s = Math.max(0, Math.ceil(ms / 1_000));
  const h = Math.floor(s / 3_600);
  const rest = `${part(Math.floor((s % 3_600) / 60))}:${part(s % 60)}`;
  return h > 0 ? `${h}:${rest}` : rest;
}
