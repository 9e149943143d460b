// The response clock: how long each stage takes, and who is waited for.
import { useQuery } from "@tanstack/react-query";
import * as q from "../api/queries";
import type { ManualView } from "../api/types";
import { capital, human, plural } from "../lib/text";
import { span } from "../lib/time";
import { Empty, Name, Page, Panel, Show, T, Wide } from "../parts/basics";

const MEANING: Record<string, string> = {
  triage: "first alert's arrival → first verdict",
  enrich: "→ look-ups are in",
  escalate: "→ the team is told",
  investigate: "→ somebody has taken it",
  approve: "→ a person has said yes",
  contain: "→ the change is seen in place",
  notify_noc: "→ the network team is told",
  resolve: "→ it is over",
};
const WHO: Record<string, string> = {
  tool: "Machines: ours, look-ups, devices",
  hand_off: "Nobody had taken it",
  approval: "A person's yes or no",
  human: "Whoever had it, without a move for 15 minutes",
  active: "Somebody was at work",
};
/** Fewer incidents than this say little. */
const FEW = 5;

export function Clock() {
  const asked = useQuery({ ...q.clock(), refetchInterval: 30_000 });
  return (
    <Page title="Response clock">
      <Show of={asked} what="the clock">
        {(c) => {
          if (c.incidents.length === 0) {
            return (
              <Empty title="No incident yet">
                <p>The clock starts with the first alert of the first incident.</p>
              </Empty>
            );
          }
          const phases = Object.keys(MEANING).filter((p) => c.phases[p]);
          const longest = Math.max(1, ...phases.map((p) => c.phases[p]!.p90_ms));
          const total = c.waiting.reduce((sum, w) => sum + w.time_ms, 0) || 1;
          const ranked = [...c.waiting].sort((a, b) => b.time_ms - a.time_ms).filter((w) => w.time_ms > 0);
          const machine = c.waiting.filter((w) => w.on === "tool").reduce((sum, w) => sum + w.time_ms, 0);
          return (
            <>
              <div className="numbers">
                <div className="number">
                  <span className="mute">Incidents measured</span>
                  <strong>{c.incidents.length.toLocaleString("en")}</strong>
                </div>
                <div className="number">
                  <span className="mute">Machine time</span>
                  <strong>{span(machine)}</strong>
                  <span className="mute">{((machine / total) * 100).toFixed(1)} % of all</span>
                </div>
                <div className="number">
                  <span className="mute">People's time</span>
                  <strong>{span(total - machine)}</strong>
                  <span className="mute">{(((total - machine) / total) * 100).toFixed(1)} % of all</span>
                </div>
                <div className="number wide-number">
                  <span className="mute">What to do next</span>
                  <span>
                    <T>{c.advice}</T>
                  </span>
                </div>
              </div>
              <Panel title="Stages, from the first alert's arrival">
                <Wide label="Stages">
                  <table>
                    <thead>
                      <tr>
                        <th scope="col">Stage</th>
                        <th scope="col">Means</th>
                        <th scope="col" className="num">
                          Half faster than (p50)
                        </th>
                        <th scope="col" className="num">
                          Nine of ten (p90)
                        </th>
                        <th scope="col" className="bar-cell">
                          <span className="hidden">p50 and p90 as bars</span>
                        </th>
                        <th scope="col" className="num">
                          n
                        </th>
                      </tr>
                    </thead>
                    <tbody>
                      {phases.map((p) => {
                        const v = c.phases[p]!;
                        return (
                          <tr key={p} className={v.n < FEW ? "few" : ""}>
                            <th scope="row">{capital(human(p))}</th>
                            <td className="mute">{MEANING[p]}</td>
                            <td className="num">{v.p50}</td>
                            <td className="num">{v.p90}</td>
                            <td className="bar-cell">
                              <svg viewBox="0 0 100 12" preserveAspectRatio="none" className="twin" aria-hidden="true">
                                <rect className="p90" x="0" y="0" width={Math.max(0.5, (v.p90_ms / longest) * 100)} height="12" />
                                <rect className="p50" x="0" y="3" width={Math.max(0.5, (v.p50_ms / longest) * 100)} height="6" />
                              </svg>
                            </td>
                            <td className="num">{v.n}</td>
                          </tr>
                        );
                      })}
                    </tbody>
                  </table>
                </Wide>
                {phases.some((p) => c.phases[p]!.n < FEW) ? (
                  <p className="mute pad">Fewer than {FEW} incidents reached some stages: those figures say little.</p>
                ) : null}
              </Panel>
              <Panel title="Where the time went, the costliest first">
                <ul className="waits">
                  {ranked.map((w) => (
                    <li key={w.on}>
                      <span>{WHO[w.on] ?? human(w.on)}</span>
                      <svg viewBox="0 0 100 10" preserveAspectRatio="none" className={`twin on-${w.on}`} aria-hidden="true">
                        <rect x="0" y="0" width={(w.time_ms / total) * 100} height="10" />
                      </svg>
                      <span className="num">{span(w.time_ms)}</span>
                      <span className="num mute">{((w.time_ms / total) * 100).toFixed(1)} %</span>
                    </li>
                  ))}
                </ul>
              </Panel>
              <Manual all={c.manual ?? []} />
              <Panel title="Each incident, the latest first">
                <Wide label="Incidents">
                  <table>
                    <thead>
                      <tr>
                        <th scope="col">Incident</th>
                        <th scope="col">What</th>
                        <th scope="col" className="num">
                          In all
                        </th>
                        <th scope="col">Cost most</th>
                      </tr>
                    </thead>
                    <tbody>
                      {c.incidents.slice(0, 100).map((i) => (
                        <tr key={i.incident}>
                          <td>
                            <Name id={i.incident} />
                          </td>
                          <td className="grow-cell">
                            <T>{i.title}</T>
                          </td>
                          <td className="num nowrap">{i.wall}</td>
                          <td className="nowrap">{human(i.costliest)}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </Wide>
                {c.incidents.length > 100 ? <p className="mute pad">The latest 100 of {plural(c.incidents.length, "incident")}.</p> : null}
              </Panel>
            </>
          );
        }}
      </Show>
    </Page>
  );
}

const KINDS: Record<string, string> = { approval: "a yes or no", task: "a step that asks people", hand_off: "taking it", work: "moving on" };

/** What people do by hand, ranked by what it costs: the first of them is worth automating first. */
function Manual({ all }: { all: ManualView[] }) {
  return (
    <Panel title="Manual steps, by hours lost">
      {all.length === 0 ? (
        <p className="mute pad">Nothing has waited for a person yet.</p>
      ) : (
        <Wide label="Manual steps">
          <table>
            <thead>
              <tr>
                <th scope="col">What is done by hand</th>
                <th scope="col">Kind</th>
                <th scope="col" className="num">
                  Hours lost
                </th>
                <th scope="col" className="num">
                  Done
                </th>
                <th scope="col" className="num">
                  Waiting
                </th>
                <th scope="col" className="num">
                  p50
                </th>
                <th scope="col" className="num">
                  p90
                </th>
                <th scope="col">Instead</th>
              </tr>
            </thead>
            <tbody>
              {all.map((m) => (
                <tr key={m.kind + m.what} className={m.n < FEW ? "few" : ""}>
                  <th scope="row">
                    <T>{m.what}</T>
                  </th>
                  <td className="nowrap">{KINDS[m.kind] ?? human(m.kind)}</td>
                  <td className="num">{(m.lost_ms / 3_600_000).toFixed(m.lost_ms < 360_000 ? 2 : 1)}</td>
                  <td className="num">{m.n}</td>
                  <td className="num">{m.waiting}</td>
                  <td className="num nowrap">{m.n > 0 ? span(m.p50_ms) : "—"}</td>
                  <td className="num nowrap">{m.n > 0 ? span(m.p90_ms) : "—"}</td>
                  <td className="mute">{m.instead}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
    </Panel>
  );
}
