// Playbooks: what is in force, its text, and how its runs went.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useId, useState } from "react";
import * as q from "../api/queries";
import type { RunSummary } from "../api/types";
import { plural, visible } from "../lib/text";
import { Empty, Name, Page, Panel, Show, State, T, Time, Wide } from "../parts/basics";
import { Dialog } from "../parts/dialog";
import { Versions } from "./playbook-versions";

const one = getRouteApi("/shell/playbooks/$name");

export function Playbooks() {
  const asked = useQuery(q.playbooks());
  const runs = useQuery(q.runs());
  const { data: me } = useQuery(q.whoami());
  return (
    <Page title="Playbooks" side={me && me.role !== "viewer" ? <NewPlaybook taken={asked.data?.playbooks.map((p) => p.name) ?? []} /> : null}>
      <Show of={asked} what="the playbooks">
        {({ playbooks }) =>
          playbooks.length === 0 ? (
            <Empty title="No playbook is configured">
              <p>
                Put a YAML file into the folder <code>playbooks/</code> of the configuration, then reload in{" "}
                <Link to="/settings">Settings</Link>.
              </p>
            </Empty>
          ) : (
            <Panel title={plural(playbooks.length, "playbook")}>
              <Wide label="Playbooks">
                <table>
                  <thead>
                    <tr>
                      <th scope="col">Name</th>
                      <th scope="col">What it does</th>
                      <th scope="col">Answers</th>
                      <th scope="col">Steps</th>
                      <th scope="col" className="num">
                        Runs
                      </th>
                      <th scope="col">How they went</th>
                      <th scope="col">Last</th>
                    </tr>
                  </thead>
                  <tbody>
                    {playbooks.map((p) => (
                      <tr key={p.name}>
                        <td>
                          <Link to="/playbooks/$name" params={{ name: p.name }}>
                            {p.name}
                          </Link>
                        </td>
                        <td className="grow-cell">
                          <T>{p.summary}</T>
                        </td>
                        <td className="mono">{p.attack.join(" ")}</td>
                        <td>{p.steps.length}</td>
                        <td className="num">{p.runs}</td>
                        <td className="nowrap">
                          {p.runs === 0 ? <span className="mute">has not run</span> : `${p.completed} completed, ${p.running} running, ${p.handed} handed over`}
                        </td>
                        <td className="nowrap">{p.last_started ? <Time at={p.last_started} /> : "—"}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Wide>
            </Panel>
          )
        }
      </Show>
      <Panel title="Runs">
        <Show of={runs} what="the runs">
          {({ runs: all }) => <Runs all={all} />}
        </Show>
      </Panel>
    </Page>
  );
}

/** Asks for a name, and leads to the editor. Nothing is there before it is saved. */
function NewPlaybook({ taken }: { taken: string[] }) {
  const [asking, setAsking] = useState(false);
  const [name, setName] = useState("");
  const navigate = useNavigate();
  const id = useId();
  const wrong = name !== "" && !/^[a-z0-9][a-z0-9_-]{0,62}$/.test(name) ? "small letters, digits, - and _ only" : taken.includes(name) ? "there is one of this name" : "";
  return (
    <>
      <button type="button" className="btn" onClick={() => setAsking(true)}>
        New playbook…
      </button>
      {asking ? (
        <Dialog title="New playbook" onClose={() => setAsking(false)}>
          <form
            onSubmit={(e) => {
              e.preventDefault();
              if (name && !wrong) void navigate({ to: "/playbooks/$name/edit", params: { name } });
            }}
          >
            <label htmlFor={id}>Name: also that of its file</label>
            <input id={id} data-first required maxLength={63} value={name} autoComplete="off" aria-describedby={`${id}w`} onChange={(e) => setName(e.target.value)} />
            <p className="mute" id={`${id}w`} role="status">
              {wrong || "For example phishing-mail"}
            </p>
            <footer>
              <button type="submit" className="btn primary" disabled={!name || wrong !== ""}>
                Write it
              </button>
            </footer>
          </form>
        </Dialog>
      ) : null}
    </>
  );
}

// `of` one playbook: its name is not said again in every row.
function Runs({ all, of = false }: { all: RunSummary[]; of?: boolean }) {
  if (all.length === 0) return <p className="mute pad">No playbook has run yet.</p>;
  return (
    <Wide label="Runs">
      <table>
        <thead>
          <tr>
            <th scope="col">Run</th>
            {of ? null : <th scope="col">Playbook</th>}
            <th scope="col">Incident</th>
            <th scope="col">State</th>
            <th scope="col">At step</th>
            <th scope="col">Began</th>
            <th scope="col">Why it ended</th>
          </tr>
        </thead>
        <tbody>
          {all.map((r) => (
            <tr key={r.id}>
              <td className="nowrap">
                <Name id={r.id} />
              </td>
              {of ? null : (
                <td>
                  <T>{r.playbook}</T>
                </td>
              )}
              <td className="nowrap">
                {r.incident ? <Name id={r.incident} /> : "—"}
              </td>
              <td>
                <State word={r.state} />
              </td>
              <td className="mono">{r.step ?? "—"}</td>
              <td className="nowrap">
                <Time at={r.started} />
              </td>
              <td className="grow-cell">
                <T>{r.why}</T>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

export function Playbook() {
  const { name } = one.useParams();
  const asked = useQuery(q.playbook(name));
  const runs = useQuery(q.runs());
  const { data: me } = useQuery(q.whoami());
  return (
    <Page
      title={visible(name)}
      side={
        <span className="line">
          <Link to="/playbooks">All playbooks</Link>
          {me && me.role !== "viewer" ? (
            <Link className="btn" to="/playbooks/$name/edit" params={{ name }}>
              Edit and rehearse
            </Link>
          ) : null}
        </span>
      }
    >
      <Show of={asked} what={name}>
        {(p) => (
          <>
            <p>
              <T>{p.summary}</T>
            </p>
            <p className="mute line">
              <span>
                new runs are pinned to <span className="mono">{p.hash.slice(0, 12)}</span>
              </span>
              <span>{p.attack.join(", ")}</span>
            </p>
            <ol className="steps" aria-label="Steps">
              {p.steps.map((s) => (
                <li key={s}>
                  <span className="mono">{visible(s)}</span>
                </li>
              ))}
            </ol>
            <div className="columns">
              <div className="column">
                <Panel title="Its text">
                  <Wide label="Its text">
                    <ol className="source">
                      {p.source.split("\n").map((line, n) => (
                        <li key={`${n}${line}`} className={/^\s*#/.test(line) ? "comment" : ""}>
                          <code>{visible(line) || " "}</code>
                        </li>
                      ))}
                    </ol>
                  </Wide>
                </Panel>
              </div>
              <div className="column">
                <Versions name={p.name} />
                <Panel title="By hand">
                  <p className="pad pre">
                    <T>{p.sop || "Nothing is written down."}</T>
                  </p>
                </Panel>
                <Panel title="Runs">
                  <Show of={runs} what="its runs">
                    {({ runs: all }) => <Runs of all={all.filter((r) => r.playbook === p.name)} />}
                  </Show>
                </Panel>
              </div>
            </div>
          </>
        )}
      </Show>
    </Page>
  );
}
