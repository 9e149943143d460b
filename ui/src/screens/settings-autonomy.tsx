// What may be decided without asking anybody, each kind with its own threshold, and the curve it rests on.
import { useQuery } from "@tanstack/react-query";
import * as q from "../api/queries";
import type { DecisionView } from "../api/types";
import { human } from "../lib/text";
import { Panel, Show, T, Wide } from "../parts/basics";

const percent = (p: number) => `${(p * 100).toFixed(1)} %`;

/** What is so now, in few words. */
export function standing(d: DecisionView): string {
  if (!d.measured) return d.decision === "close" ? "never" : d.decision === "page" ? "always" : "as routes and playbooks say";
  if (d.threshold == null) return "not earned";
  if (!d.allowed) return "taken back for now";
  return `${d.side === "at_most" ? "up to" : "from"} ${percent(d.threshold)} sure`;
}

export function Autonomy() {
  const asked = useQuery(q.autonomy());
  return (
    <Panel title="Decided without asking">
      <Show of={asked} what="what may be decided without asking">
        {(a) => (
          <>
            <Wide label="Decisions without asking">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Decision</th>
                    <th scope="col">A mistake costs</th>
                    <th scope="col" className="num">Budget</th>
                    <th scope="col" className="num">Wrong so far</th>
                    <th scope="col" className="num">At most</th>
                    <th scope="col">Without asking</th>
                  </tr>
                </thead>
                <tbody>
                  {a.decisions.map((d) => (
                    <tr key={d.decision}>
                      <td>{human(d.decision)}</td>
                      <td>{d.cost}</td>
                      <td className="num">{d.budget == null ? "none" : percent(d.budget)}</td>
                      <td className="num">{d.measured ? `${d.errors} of ${d.judged}` : "—"}</td>
                      <td className="num">{d.measured ? percent(d.bound) : "—"}</td>
                      <td>{standing(d)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Wide>
            {a.curve.length > 0 ? (
              <Wide label="How often incidents mattered, by how sure they were">
                <table>
                  <thead>
                    <tr>
                      <th scope="col">Confidence</th>
                      <th scope="col" className="num">Judged</th>
                      <th scope="col" className="num">Mattered</th>
                      <th scope="col">True share between</th>
                    </tr>
                  </thead>
                  <tbody>
                    {a.curve.map((b) => (
                      <tr key={b.from}>
                        <td>
                          {percent(b.from)} to {percent(b.to)}
                        </td>
                        <td className="num">{b.judged}</td>
                        <td className="num">{b.mattered}</td>
                        <td>
                          {percent(b.low)} and {percent(b.high)}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Wide>
            ) : (
              <p className="pad mute">Nobody has judged an incident yet: there is no reliability curve.</p>
            )}
            <ul className="pad plain mute">
              {a.decisions.map((d) => (
                <li key={d.decision}>
                  {human(d.decision)}, wrong when {d.mistake}: <T>{d.because.join("; ")}</T>
                </li>
              ))}
            </ul>
          </>
        )}
      </Show>
    </Panel>
  );
}
