// A run of a playbook: what each step was given and gave, what is waited for, once more, and two runs
// beside each other.
import "../styles/playbook.css";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useId, useState } from "react";
import { api, ask } from "../api/client";
import * as q from "../api/queries";
import type { RunDetail, RunStep } from "../api/types";
import { useAct } from "../lib/act";
import { compareRuns } from "../lib/runs";
import { human, plural, visible } from "../lib/text";
import { span } from "../lib/time";
import { Name, Page, Panel, Show, State, T, Time, Wide } from "../parts/basics";
import { Dialog, ReasonDialog } from "../parts/dialog";

const route = getRouteApi("/shell/runs/$id");
/** Characters of a value that are shown; the rest comes with the API. */
const LONGEST = 20_000;

export function Run() {
  const { id } = route.useParams();
  const { beside } = route.useSearch();
  const asked = useQuery(q.run(id));
  return (
    <Page title={visible(id)} side={<Link to="/playbooks">All playbooks</Link>}>
      <Show of={asked} what={id}>
        {(r) => (
          <>
            <Head of={r} />
            {r.waits_for && r.waits_for.length > 0 ? <Waits of={r} /> : null}
            {beside ? <Beside of={r} other={beside} /> : null}
            <Panel title={`Steps (${r.steps.length} over, ${r.under_way?.length ?? 0} in hand; ${r.steps_total} in the plan)`}>
              <Steps of={r} />
            </Panel>
            <div className="columns">
              <div className="column">
                <Value title="What the run was given" of={r.inputs} none="Nothing: the incident is all it works on." />
              </div>
              <div className="column">
                <Value title="What the run gave" of={r.output} none={r.ended ? "Nothing." : "Nothing yet."} />
              </div>
            </div>
          </>
        )}
      </Show>
    </Page>
  );
}

function Head({ of: r }: { of: RunDetail }) {
  const { data: me } = useQuery(q.whoami());
  return (
    <>
      <p className="line">
        <State word={r.state} />{" "}
        <Link to="/playbooks/$name" params={{ name: r.playbook }}>
          {r.playbook}
        </Link>
        {r.playbook_hash ? (
          <span className="mute">
            pinned to{" "}
            <Link to="/playbooks/$name" params={{ name: r.playbook }} search={{ against: r.playbook_hash }} className="mono">
              {r.playbook_hash.slice(0, 12)}
            </Link>
          </span>
        ) : null}
        {r.incident ? (
          <span>
            for <Name id={r.incident} />
          </span>
        ) : null}
        <span>
          began <Time at={r.started} />
          {r.by ? (
            <>
              {" "}
              by <T>{r.by}</T>
            </>
          ) : null}
        </span>
        {r.ended ? (
          <span>
            ended <Time at={r.ended} />, after {span(ms(r.started, r.ended))}
          </span>
        ) : null}
        {r.called_by ? (
          <span className="mute">
            called by <T>{r.called_by}</T>
          </span>
        ) : null}
      </p>
      {r.why ? (
        <p>
          <T>{r.why}</T>
        </p>
      ) : null}
      {(r.resumed ?? []).map((g) => (
        <p key={g.at} className="mute">
          Went on <Time at={g.at} /> by <T>{g.by}</T>: <T>{g.reason}</T>. Before: {g.from.map((f) => `${visible(f.name)}: ${visible(f.value)}`).join("; ")}
        </p>
      ))}
      <div className="line">
        {me && me.role !== "viewer" && r.resumable && r.resumable.length > 0 ? <GoOn of={r} from={r.resumable} /> : null}
        {me && me.role !== "viewer" ? <Again of={r} /> : null}
        <Compare of={r} />
        {r.blocks.length > 0 ? (
          <span className="mute">
            {plural(r.blocks.length, "change")}: {r.blocks.join(", ")}
          </span>
        ) : null}
      </div>
    </>
  );
}

const ms = (from: string, to: string) => Math.max(0, new Date(to).getTime() - new Date(from).getTime());

/** Goes on where the run failed: this one, with everything that was done kept. */
function GoOn({ of: r, from }: { of: RunDetail; from: string[] }) {
  const [asking, setAsking] = useState(false);
  const go = useAct(
    (reason: string) => ask(api.POST("/api/v1/runs/{id}/resume", { params: { path: { id: r.id } }, body: { reason } })),
    { after: () => setAsking(false) },
  );
  const done = r.steps.filter((s) => s.end === "done" || s.end === "skipped").length;
  return (
    <>
      <button type="button" className="btn primary" onClick={() => setAsking(true)}>
        Go on from {visible(from[0] ?? "")}…
      </button>
      {asking ? (
        <ReasonDialog title={`${r.id} goes on`} button={`Go on from ${visible(from[0] ?? "")}`} busy={go.isPending} onClose={() => setAsking(false)} onGive={(reason) => go.mutate(reason)}>
          <p>
            Begins anew with: <strong className="mono">{from.map(visible).join(", ")}</strong>. {plural(done, "step")} that {done === 1 ? "is" : "are"} over{" "}
            {done === 1 ? "is" : "are"} not done again. By the version the run began with; changes are judged and asked about as they are now, whatever was
            answered before.
          </p>
        </ReasonDialog>
      ) : null}
    </>
  );
}

/** Begins another run with the same inputs, by the version in force now. */
function Again({ of: r }: { of: RunDetail }) {
  const [asking, setAsking] = useState(false);
  const navigate = useNavigate();
  const given = r.inputs as Record<string, unknown> | undefined;
  const start = useAct(
    () =>
      ask(
        api.POST("/api/v1/runs", {
          body: { playbook: r.playbook, ...(r.incident ? { incident: r.incident } : {}), inputs: (given ?? {}) as Record<string, never> },
        }),
      ),
    {
      after: (d) => {
        setAsking(false);
        if (d.run) void navigate({ to: "/runs/$id", params: { id: d.run }, search: { beside: r.id } });
      },
    },
  );
  return (
    <>
      <button type="button" className="btn" onClick={() => setAsking(true)}>
        Run again…
      </button>
      {asking ? (
        <Dialog title={`Run ${visible(r.playbook)} again`} onClose={() => setAsking(false)}>
          <p>
            Another run begins from the first step, {r.incident ? `for ${r.incident}` : "for no incident"}, with the same inputs and by the version in force now.
            Changes are judged and asked about as always.
          </p>
          <pre className="code">{visible(JSON.stringify(given ?? {}, null, 2)).slice(0, LONGEST)}</pre>
          <footer>
            <button type="button" className="btn primary" disabled={start.isPending} onClick={() => start.mutate(undefined)}>
              {start.isPending ? "Beginning…" : `Run ${visible(r.playbook)}`}
            </button>
            <button type="button" className="btn" onClick={() => setAsking(false)}>
              Cancel
            </button>
          </footer>
        </Dialog>
      ) : null}
    </>
  );
}

/** Chooses another run of the same playbook to look at beside this one. */
function Compare({ of: r }: { of: RunDetail }) {
  const { beside } = route.useSearch();
  const { data } = useQuery(q.runs());
  const navigate = useNavigate();
  const id = useId();
  const others = (data?.runs ?? []).filter((o) => o.playbook === r.playbook && o.id !== r.id);
  if (others.length === 0) return null;
  return (
    <span className="line">
      <label htmlFor={id}>Beside</label>
      <select
        id={id}
        value={beside ?? ""}
        onChange={(e) => void navigate({ to: "/runs/$id", params: { id: r.id }, search: e.target.value ? { beside: e.target.value } : {}, replace: true })}
      >
        <option value="">no other run</option>
        {others.map((o) => (
          <option key={o.id} value={o.id}>
            {o.id}
            {o.incident ? ` for ${o.incident}` : ""}: {human(o.state)}
          </option>
        ))}
      </select>
    </span>
  );
}

function Waits({ of: r }: { of: RunDetail }) {
  return (
    <Panel title="What it waits for">
      <ul className="differences">
        {r.waits_for?.map((w) => (
          <li key={w}>
            {/* Our own names become links, wherever they stand in the words. */}
            {w.split(/\b((?:APR|RUN)-\d+)\b/).map((part, n) => (n % 2 === 1 ? <Name key={part} id={part} /> : <T key={`${n}${part}`}>{part}</T>))}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Beside({ of: r, other }: { of: RunDetail; other: string }) {
  const asked = useQuery(q.run(other));
  return (
    <Panel
      title={`${r.id} beside ${visible(other)}`}
      side={
        <Link to="/runs/$id" params={{ id: r.id }} search={{}} replace>
          Close
        </Link>
      }
    >
      <Show of={asked} what={other}>
        {(o) => (
          <Wide label="Two runs, step by step">
            <table>
              <thead>
                <tr>
                  <th scope="col">Step</th>
                  <th scope="col">{r.id}</th>
                  <th scope="col">{o.id}</th>
                  <th scope="col">Took</th>
                </tr>
              </thead>
              <tbody>
                {r.playbook_hash !== o.playbook_hash ? (
                  <tr className="differs">
                    <td>version</td>
                    <td className="mono">{r.playbook_hash?.slice(0, 12)}</td>
                    <td className="mono">{o.playbook_hash?.slice(0, 12)}</td>
                    <td />
                  </tr>
                ) : null}
                {compareRuns(r, o).map((c) => (
                  <tr key={c.step} className={c.differs ? "differs" : ""}>
                    <td className="mono">
                      <T>{c.step}</T>
                    </td>
                    <td>
                      <Half of={c.left} />
                    </td>
                    <td>
                      <Half of={c.right} />
                    </td>
                    <td className="nowrap">{c.tookMs ? c.tookMs.map((n) => (n === undefined ? "—" : span(n))).join(" / ") : "—"}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Wide>
        )}
      </Show>
    </Panel>
  );
}

function Half({ of: s }: { of: { end: string; outcome: string } | undefined }) {
  if (!s) return <span className="mute">not reached</span>;
  return (
    <>
      <State word={s.end} /> <T>{s.outcome}</T>
    </>
  );
}

function Steps({ of: r }: { of: RunDetail }) {
  return (
    <ol className="run-steps">
      {r.steps.map((s) => (
        <li key={s.step + s.at}>
          <details>
            <summary>
              <span className={`state tone-${s.end === "failed" ? "bad" : s.end === "done" ? "good" : "mute"}`}>{s.end || "done"}</span>{" "}
              <span className="mono">
                <T>{s.step}</T>
              </span>{" "}
              <T>{s.outcome}</T>
              <span className="mute">
                {" "}
                <Time at={s.at} />
                {s.began ? `, took ${span(ms(s.began, s.at))}` : ""}
                {s.tries ? `, ${plural(s.tries, "try", "tries")} failed before` : ""}
              </span>
            </summary>
            <Inside of={s} />
          </details>
        </li>
      ))}
      {r.under_way?.map((s) => (
        <li key={s.step} className="current">
          <span className="state tone-info">in hand</span>{" "}
          <span className="mono">
            <T>{s.step}</T>
          </span>{" "}
          <T>{s.words}</T>
          <span className="mute">
            {" "}
            since <Time at={s.since} />
            {s.tries ? `; ${plural(s.tries, "try", "tries")} failed, the last: ${visible(s.last_failure ?? "")}` : ""}
          </span>
          {s.again ? (
            <span>
              , again at <Time at={s.again} />
            </span>
          ) : null}
          {s.run ? (
            <span>
              , called <Name id={s.run} />
            </span>
          ) : null}
        </li>
      ))}
    </ol>
  );
}

function Inside({ of: s }: { of: RunStep }) {
  return (
    <div className="run-inside">
      <dl className="facts">
        <dt>What the plan says</dt>
        <dd>
          {s.kind ? <span className="mono">{s.kind} </span> : null}
          <T>{s.words ?? "this version of the program cannot read the plan any more"}</T>
        </dd>
        {(s.on ?? []).map((o) => (
          <div key={o.name + o.value} className="row-pair">
            <dt>{human(o.name)}</dt>
            <dd>
              <Name id={o.value} />
            </dd>
          </div>
        ))}
      </dl>
      <h3>Output</h3>
      {s.output === undefined || s.output === null ? (
        <p className="mute">None: later steps read nothing of it.</p>
      ) : (
        <pre className="code" tabIndex={0} role="group" aria-label={`Output of ${s.step}`}>
          {visible(JSON.stringify(s.output, null, 2)).slice(0, LONGEST)}
        </pre>
      )}
    </div>
  );
}

function Value({ title, of, none }: { title: string; of: unknown; none: string }) {
  const empty = of === undefined || of === null || (typeof of === "object" && Object.keys(of).length === 0);
  return (
    <Panel title={title}>
      {empty ? (
        <p className="pad mute">{none}</p>
      ) : (
        <pre className="code" tabIndex={0} role="group" aria-label={title}>
          {visible(JSON.stringify(of, null, 2)).slice(0, LONGEST)}
        </pre>
      )}
    </Panel>
  );
}
