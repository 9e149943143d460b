// What stands around every screen: where one can go, whether it is live, who one is.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";
import { api, ask } from "./api/client";
import { approvals, firstRun, settings, whoami } from "./api/queries";
import { useAct } from "./lib/act";
import { useKeys } from "./lib/keys";
import { useNow } from "./lib/now";
import { setPrefs, shownTheme, usePrefs } from "./lib/prefs";
import { span } from "./lib/time";
import { listen, useLive } from "./live/stream";
import { T, Time } from "./parts/basics";
import { Menu } from "./parts/menu";
import { Toasts, toast, undoLast } from "./parts/toasts";

const Palette = lazy(() => import("./parts/palette").then((m) => ({ default: m.Palette })));
const Shortcuts = lazy(() => import("./parts/shortcuts").then((m) => ({ default: m.Shortcuts })));

export const PLACES = [
  { to: "/queue", name: "Queue", key: "q", cli: "stanch incidents" },
  { to: "/approvals", name: "Approvals", key: "a", cli: "stanch approvals" },
  { to: "/playbooks", name: "Playbooks", key: "p", cli: "stanch runs" },
  { to: "/clock", name: "Response clock", key: "c", cli: "stanch clock" },
  { to: "/sources", name: "Sources", key: "s", cli: "stanch sources" },
  { to: "/exercises", name: "Exercises", key: "e", cli: "" },
  { to: "/reviews", name: "Reviews", key: "r", cli: "" },
  { to: "/settings", name: "Settings", key: ",", cli: "stanch doctor" },
] as const;

export async function signOut(): Promise<void> {
  try {
    await ask(api.DELETE("/api/v1/session"));
  } finally {
    location.assign("/signin");
  }
}

export function copyLink(): void {
  navigator.clipboard?.writeText(location.href).then(
    () => toast("link copied"),
    () => toast("this browser does not let pages copy; take the address from its bar", "bad"),
  );
}

export function toggleZone(zone: "utc" | "local"): void {
  setPrefs({ zone: zone === "utc" ? "local" : "utc" });
}

function LiveDot() {
  const live = useLive();
  const now = useNow();
  const behind = now - live.heard;
  const words =
    live.state === "live"
      ? behind > 20_000
        ? `${span(behind)} behind`
        : "Live"
      : live.state === "offline"
        ? "Offline"
        : "Connecting";
  return (
    <span className={`live live-${live.state}`} role="status">
      <span className="dot" aria-hidden="true" />
      {words}
    </span>
  );
}

function OfflineBanner() {
  const live = useLive();
  if (live.state !== "offline") return null;
  return (
    <div className="banner tone-warn" role="alert">
      <strong>Offline.</strong> What you see is from <Time at={new Date(live.heard).toISOString()} />. Trying again by
      itself; nothing you decide is sent until the server answers.
    </div>
  );
}

function KillSwitchBanner() {
  const { data } = useQuery(settings());
  if (!data?.kill_switch) return null;
  return (
    <div className="banner tone-bad" role="alert">
      <strong>The kill switch is on.</strong> Nothing new is changed outside; undoing goes on.{" "}
      <Link to="/settings">Settings</Link>
    </div>
  );
}

/** Sample data is never mistaken for real, and goes away with one click. */
function SampleBanner({ admin }: { admin: boolean }) {
  const { data } = useQuery({ ...firstRun(), enabled: admin });
  const away = useAct(() => ask(api.POST("/api/v1/admin/sample/take-away")));
  if (!admin || !data || data.samples.length === 0) return null;
  return (
    <div className="banner" role="status">
      <strong>Sample data is shown.</strong> It counts in no clock and changes nothing real.{" "}
      <button type="button" className="btn" disabled={away.isPending} onClick={() => away.mutate(undefined as never)}>
        Take it away
      </button>
    </div>
  );
}

function Nav({ open, onDone }: { open: boolean; onDone: () => void }) {
  const pending = useQuery(approvals({ pending: true })).data?.pending ?? 0;
  return (
    <nav aria-label="Main" className={open ? "nav open" : "nav"}>
      <ul>
        {PLACES.map((p) => (
          <li key={p.to}>
            <Link to={p.to} activeProps={{ "aria-current": "page" }} onClick={onDone}>
              <span>{p.name}</span>
              {p.to === "/approvals" && pending > 0 ? (
                <span className="count">
                  {pending}
                  <span className="hidden"> waiting</span>
                </span>
              ) : (
                <span className="keyhint" aria-hidden="true">
                  g {p.key}
                </span>
              )}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

export function Shell() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { zone } = usePrefs();
  const me = useQuery(whoami()).data;
  const [menu, setMenu] = useState(false);
  const [palette, setPalette] = useState(false);
  const [sheet, setSheet] = useState(false);

  useEffect(
    () =>
      listen(client, () => {
        client.clear();
        void navigate({ to: "/signin", search: { next: location.pathname + location.search } });
      }),
    [client, navigate],
  );

  useKeys({
    "$mod+k": (e) => {
      e.preventDefault();
      setPalette((open) => !open);
    },
    "Shift+?": () => setSheet(true),
    t: () => toggleZone(zone),
    y: copyLink,
    u: undoLast,
    ...Object.fromEntries(PLACES.map((p) => [`g ${p.key}`, () => void navigate({ to: p.to })])),
  });

  return (
    <div className="shell">
      <a className="skip" href="#main">
        To the content
      </a>
      <header className="top">
        <button
          type="button"
          className="btn quiet menu-button"
          aria-expanded={menu}
          onClick={() => setMenu(!menu)}
        >
          Menu
        </button>
        <Link to="/queue" className="brand">
          Stanch
        </Link>
        <LiveDot />
        <span className="grow" />
        <button type="button" className="btn quiet wide-only" onClick={() => setPalette(true)}>
          Find or do <kbd>Ctrl K</kbd>
        </button>
        <button
          type="button"
          className="btn quiet"
          onClick={() => toggleZone(zone)}
          aria-label={`Times in ${zone === "utc" ? "UTC" : "local time"}; change`}
        >
          {zone === "utc" ? "UTC" : "Local"}
        </button>
        <button
          type="button"
          className="btn quiet wide-only"
          onClick={() => setPrefs({ theme: shownTheme() === "dark" ? "light" : "dark" })}
        >
          {shownTheme() === "dark" ? "Light" : "Dark"}
        </button>
        <button type="button" className="btn quiet wide-only" onClick={() => setSheet(true)} aria-label="Keyboard shortcuts">
          <kbd>?</kbd>
        </button>
        {me ? (
          <Menu name={<T>{me.name}</T>} of={`You are ${me.name}`}>
            <p>
              {me.role}
              {me.teams.length > 0 ? <> · {me.teams.join(", ")}</> : null}
            </p>
            <button type="button" onClick={() => void signOut()}>
              Sign out
            </button>
          </Menu>
        ) : null}
      </header>
      <Nav open={menu} onDone={() => setMenu(false)} />
      <main id="main" tabIndex={-1}>
        <OfflineBanner />
        <KillSwitchBanner />
        <SampleBanner admin={me?.may?.includes("govern") ?? false} />
        <Outlet />
      </main>
      <Toasts />
      <Suspense fallback={null}>
        {palette ? <Palette onClose={() => setPalette(false)} onSheet={() => setSheet(true)} /> : null}
        {sheet ? <Shortcuts onClose={() => setSheet(false)} /> : null}
      </Suspense>
    </div>
  );
}
