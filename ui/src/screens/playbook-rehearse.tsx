// A rehearsal of a playbook's text: nothing outside is touched.
import { useMutation, useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { api, ask, Refused } from "../api/client";
import * as q from "../api/queries";
import type { RehearsalView } from "../api/types";
import { plural, visible } from "../lib/text";
import { Panel, T, Wide } from "../parts/basics";

const TONES: Record<string, string> = { asked: "warn", changed: "bad", told: "info", step: "mute", over: "good", called: "info", looked: "info" };

export function Rehearse({ name, text, ready }: { name: string; text: string; ready: boolean }) {
  const incidents = useQuery(q.queue({ status: "all", sort: "newest" }));
  const [incident, setIncident] = useState("");
  const [inputs, setInputs] = useState("");
  const [bad, setBad] = useState<string>();
  const ids = { incident: useId(), inputs: useId() };
  const chosen = incident || incidents.data?.rows[0]?.id || "";
  const play = useMutation({
    retry: false,
    mutationFn: (given: unknown) =>
      ask(
        api.POST("/api/v1/playbooks/{name}/rehearse", {
          params: { path: { name } },
          body: { text, ...(chosen && incident !== "none" ? { incident: chosen } : {}), ...(given === undefined ? {} : { inputs: given as Record<string, never> }) },
        }),
      ),
  });
  const begin = () => {
    setBad(undefined);
    if (inputs.trim() === "") return play.mutate(undefined);
    try {
      return play.mutate(JSON.parse(inputs));
    } catch (e) {
      return setBad(`Inputs are not JSON: ${(e as Error).message}`);
    }
  };
  return (
    <Panel title="Rehearsal">
      <form
        className="rehearse-form"
        onSubmit={(e) => {
          e.preventDefault();
          begin();
        }}
      >
        <label htmlFor={ids.incident}>Begin with the evidence of</label>
        <select id={ids.incident} value={incident === "none" ? incident : chosen} onChange={(e) => setIncident(e.target.value)}>
          {(incidents.data?.rows ?? []).slice(0, 100).map((r) => (
            <option key={r.id} value={r.id}>
              {r.id} {visible(r.title).slice(0, 70)}
            </option>
          ))}
          <option value="none">no incident (the playbook is called)</option>
        </select>
        <label htmlFor={ids.inputs}>Inputs as JSON (may be left out)</label>
        <input id={ids.inputs} value={inputs} onChange={(e) => setInputs(e.target.value)} placeholder='{"user": "kt"}' autoComplete="off" spellCheck={false} />
        <button type="submit" className="btn" disabled={!ready || play.isPending}>
          {play.isPending ? "Playing it…" : "Rehearse"}
        </button>
      </form>
      <p className="pad mute">
        Played on a world that only pretends: no device, no mail, no journal entry. Then again with a crash behind every move, and with each step
        outward failing.
      </p>
      {bad ? (
        <p className="notice bad" role="alert">
          {bad}
        </p>
      ) : null}
      {play.error ? (
        <div className="notice bad" role="alert">
          <strong>
            <T>{play.error.message}</T>
          </strong>
          {play.error instanceof Refused ? (
            <p>
              <T>{play.error.mend}</T>
            </p>
          ) : null}
        </div>
      ) : null}
      {play.data ? <Transcript of={play.data} /> : null}
    </Panel>
  );
}

function Transcript({ of: r }: { of: RehearsalView }) {
  const left = (all: string[]) => (all.length === 0 ? "nothing is left in place" : `left in place: ${all.join(", ")}`);
  const breaches = [...r.breaches, ...r.crash_findings, ...r.failures.flatMap((f) => f.breaches)];
  return (
    <div className="transcript" data-sound={r.sound}>
      <p className="pad line">
        <span className={`state tone-${r.sound ? "good" : "bad"}`}>{r.sound ? "sound" : "not sound"}</span>
        <span>
          Ends <T>{r.end || "never"}</T>; <T>{left(r.left)}</T>.
        </span>
        <span className="mute">
          {plural(r.crashes, "crash", "crashes")} tried, {r.crash_findings.length} changed the end; {plural(r.failures.length, "failure")} tried; took {r.took_ms} ms
        </span>
      </p>
      {breaches.length > 0 ? (
        <ul className="problems">
          {breaches.map((b) => (
            <li key={b} className="errs">
              <T>{b}</T>
            </li>
          ))}
        </ul>
      ) : null}
      <Wide label="What happens when nothing fails">
        <table>
          <thead>
            <tr>
              <th scope="col" className="num">
                After
              </th>
              <th scope="col">What</th>
              <th scope="col">In words</th>
            </tr>
          </thead>
          <tbody>
            {r.lines.map((l, n) => (
              <tr key={`${n}${l.after}${l.text}`}>
                <td className="num nowrap">{l.after}</td>
                <td>
                  <span className={`state tone-${TONES[l.what] ?? "mute"}`}>{l.what}</span>
                </td>
                <td className="grow-cell">
                  <T>{l.text}</T>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
      {r.failures.length > 0 ? (
        <>
          <h3 className="pad">When a step outward fails for good</h3>
          <ul className="differences">
            {r.failures.map((f) => (
              <li key={f.step}>
                <T>{f.step}</T>: the run ends <T>{f.end || "never"}</T>; <T>{left(f.left)}</T>
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </div>
  );
}
