// Settings: what stops everything, what is never touched, who may do what, and the journal.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, ask } from "../api/client";
import * as q from "../api/queries";
import { useAct } from "../lib/act";
import { setPrefs, usePrefs } from "../lib/prefs";
import { human, plural } from "../lib/text";
import { Page, Panel, Show, T, Time, Wide } from "../parts/basics";
import { Dialog } from "../parts/dialog";
import { Accounts, Tokens } from "./settings-access";
import { Autonomy } from "./settings-autonomy";

const route = getRouteApi("/shell/settings");

export function Settings() {
  const asked = useQuery(q.settings());
  const admin = useQuery(q.whoami()).data?.may?.includes("govern") ?? false;
  return (
    <Page title="Settings">
      <div className="columns">
        <div className="column">
          <Show of={asked} what="the settings">
            {(s) => (
              <>
                <KillSwitch on={s.kill_switch} />
                <Panel title="Never touched">
                  {s.protected.length === 0 ? (
                    <p className="pad">
                      <span className="state tone-warn">nothing is protected</span> Name your gateways, resolvers and management networks in{" "}
                      <code>policies/containment.yaml</code>.
                    </p>
                  ) : (
                    <Wide label="Protected addresses">
                      <table>
                        <thead>
                          <tr>
                            <th scope="col">What</th>
                            <th scope="col">Why</th>
                          </tr>
                        </thead>
                        <tbody>
                          {s.protected.map((p) => (
                            <tr key={p.net + p.why}>
                              <td className="mono">{p.net}</td>
                              <td>
                                <T>{p.why}</T>
                              </td>
                            </tr>
                          ))}
                        </tbody>
                      </table>
                    </Wide>
                  )}
                </Panel>
                <Panel title="Limits of containment">
                  <dl className="pairs">
                    {s.limits.map((l) => (
                      <div key={l.name}>
                        <dt>{human(l.name)}</dt>
                        <dd className="mono">{l.value}</dd>
                      </div>
                    ))}
                    <div>
                      <dt>is told of every change</dt>
                      <dd>{s.noc_team ?? "nobody"}</dd>
                    </div>
                  </dl>
                </Panel>
              </>
            )}
          </Show>
          <Autonomy />
        </div>
        <div className="column">
          <Mine />
          <Show of={asked} what="the people">
            {(s) => (
              <>
                {admin ? (
                  <Accounts />
                ) : (
                <Panel title={`People (${s.people.length})`}>
                  <Wide label="People">
                    <table>
                      <thead>
                        <tr>
                          <th scope="col">Name</th>
                          <th scope="col">Role</th>
                          <th scope="col">Teams</th>
                        </tr>
                      </thead>
                      <tbody>
                        {s.people.map((p) => (
                          <tr key={p.name}>
                            <td>
                              <T>{p.name}</T>
                            </td>
                            <td>{p.role}</td>
                            <td>{p.teams.join(", ") || "—"}</td>
                          </tr>
                        ))}
                      </tbody>
                    </table>
                  </Wide>
                </Panel>
                )}
                <Tokens />
                <Configuration hash={s.config_hash} version={s.version} warnings={s.warnings} />
              </>
            )}
          </Show>
        </div>
      </div>
      <Journal />
    </Page>
  );
}

function KillSwitch({ on }: { on: boolean }) {
  const me = useQuery(q.whoami()).data;
  const scoped = useQuery(q.killSwitch()).data;
  const stopped = [...(scoped?.responders ?? []), ...(scoped?.playbooks ?? [])];
  const [asking, setAsking] = useState(false);
  const may = me?.may?.includes("operate") || (!on && me?.may?.includes("decide"));
  const act = useAct((engaged: boolean) => ask(api.POST("/api/v1/admin/kill-switch", { body: { engaged } })), {
    after: () => setAsking(false),
  });
  return (
    <Panel title="Kill switch" side={<span className={`state tone-${on ? "bad" : "good"}`}>{on ? "on: nothing new is changed" : "off: changes are possible"}</span>}>
      <div className="pad">
        <p className="mute">Stops every new change outside, at once and for everybody. Undoing goes on. A restart does not lift it.</p>
        <button type="button" className={on ? "btn" : "btn danger"} disabled={!may} onClick={() => setAsking(true)}>
          {on ? "Allow changes again…" : "Stop all changes…"}
        </button>
        {stopped.length > 0 ? (
          <p>
            Stopped by itself: <T>{stopped.join(", ")}</T>
          </p>
        ) : null}
        {may ? null : <p className="mute">{on ? "Allowing them again needs an operator." : "Needs an approver or an operator."}</p>}
      </div>
      {asking ? (
        <Dialog title={on ? "Allow changes again?" : "Stop all changes?"} onClose={() => setAsking(false)}>
          <p>
            {on
              ? "Questions that wait can be answered again, and playbooks may change what the guard allows."
              : "No playbook and no person can change anything outside until an admin allows it again. What is in force stays until its time is over, or is released."}
          </p>
          <footer>
            <button type="button" className={on ? "btn primary" : "btn danger"} disabled={act.isPending} onClick={() => act.mutate(!on)}>
              {on ? "Allow changes again" : "Stop all changes"}
            </button>
            <button type="button" className="btn" onClick={() => setAsking(false)}>
              Cancel
            </button>
          </footer>
        </Dialog>
      ) : null}
    </Panel>
  );
}

function Mine() {
  const prefs = usePrefs();
  return (
    <Panel title="Yours, in this browser">
      <div className="pad form">
        <label htmlFor="theme">Appearance</label>
        <select id="theme" value={prefs.theme} onChange={(e) => setPrefs({ theme: e.target.value as typeof prefs.theme })}>
          <option value="system">as the system</option>
          <option value="dark">dark</option>
          <option value="light">light</option>
        </select>
        <label htmlFor="zone">Times</label>
        <select id="zone" value={prefs.zone} onChange={(e) => setPrefs({ zone: e.target.value as typeof prefs.zone })}>
          <option value="utc">UTC</option>
          <option value="local">local: {Intl.DateTimeFormat().resolvedOptions().timeZone}</option>
        </select>
        <label className="check">
          <input type="checkbox" checked={prefs.keys} onChange={(e) => setPrefs({ keys: e.target.checked })} />
          Single-key shortcuts
        </label>
      </div>
    </Panel>
  );
}

interface Warning {
  file: string;
  line: number;
  message: string;
  help: string;
}

function Configuration({ hash, version, warnings }: { hash: string; version: string; warnings: Warning[] }) {
  const admin = useQuery(q.whoami()).data?.may?.includes("operate") ?? false;
  const reload = useAct(() => ask(api.POST("/api/v1/admin/reload")));
  return (
    <Panel
      title="Configuration"
      side={
        <button type="button" className="btn" disabled={!admin || reload.isPending} onClick={() => reload.mutate(undefined as never)}>
          Reload
        </button>
      }
    >
      <div className="pad">
        <p className="mute">
          stanch {version}, folder <span className="mono">{hash.slice(0, 12)}</span>. A reload takes the whole folder or nothing.
        </p>
        {warnings.length === 0 ? <p>No warning.</p> : null}
        <ul className="plain">
          {warnings.map((w) => (
            <li key={`${w.file}${w.line}${w.message}`}>
              <span className="mono">
                {w.file}
                {w.line > 0 ? `:${w.line}` : ""}
              </span>{" "}
              <T>{w.message}</T>. <span className="mute"><T>{w.help}</T></span>
            </li>
          ))}
        </ul>
      </div>
    </Panel>
  );
}

const PAGE = 50;

function Journal() {
  const { before } = route.useSearch();
  const navigate = useNavigate();
  const head = useQuery(q.journalHead());
  const last = before ?? head.data?.seq ?? 0;
  const page = useQuery({ ...q.journal(Math.max(0, last - PAGE)), enabled: head.data !== undefined });
  const verify = useAct(() => ask(api.POST("/api/v1/journal/verify")), {
    said: (v) => (v.ok ? `every entry is as it was written (${v.took})` : `entry ${v.broken?.seq} was changed: ${v.broken?.why}`),
  });
  const go = (to: number | undefined) =>
    void navigate({ to: "/settings", search: to === undefined ? {} : { before: to }, resetScroll: false });
  return (
    <Panel
      title="Journal"
      side={
        <>
          {head.data ? (
            <span className="mute">
              {plural(head.data.seq, "entry", "entries")}, ends with <span className="mono">{head.data.hash.slice(0, 12)}</span>
            </span>
          ) : null}
          <button type="button" className="btn" disabled={verify.isPending} onClick={() => verify.mutate(undefined as never)}>
            {verify.isPending ? "Verifying…" : "Verify the chain"}
          </button>
        </>
      }
    >
      <Show of={page} what="the journal">
        {({ entries }) => (
          <>
            <Wide label="Journal entries, the newest first">
              <table>
                <thead>
                  <tr>
                    <th scope="col" className="num">
                      No.
                    </th>
                    <th scope="col">When</th>
                    <th scope="col">Of</th>
                    <th scope="col">Says</th>
                    <th scope="col">Facts</th>
                  </tr>
                </thead>
                <tbody>
                  {entries
                    .filter((e) => e.seq <= last)
                    .reverse()
                    .map((e) => (
                      <tr key={e.seq}>
                        <td className="num">{e.seq}</td>
                        <td className="nowrap">
                          <Time at={e.at} />
                        </td>
                        <td className="mono nowrap">
                          <T>{e.stream}</T>
                        </td>
                        <td className="nowrap">{human(e.kind)}</td>
                        <td className="facts mono">
                          <T>{JSON.stringify(e.body).slice(0, 160)}</T>
                        </td>
                      </tr>
                    ))}
                </tbody>
              </table>
            </Wide>
            <p className="pad line">
              <button type="button" className="btn" disabled={last <= PAGE} onClick={() => go(last - PAGE)}>
                Older
              </button>
              <button type="button" className="btn" disabled={before === undefined} onClick={() => go(undefined)}>
                Newest
              </button>
            </p>
          </>
        )}
      </Show>
    </Panel>
  );
}
