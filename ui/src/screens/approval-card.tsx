// A question that waits for a person: the short form, and the dialog that shows exactly what a yes does.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useId, useState } from "react";
import { api, ask } from "../api/client";
import * as q from "../api/queries";
import type { ApprovalDetail, ApprovalSummary, DryRunView } from "../api/types";
import { useAct } from "../lib/act";
import { useNow } from "../lib/now";
import { capital, plural } from "../lib/text";
import { countdown } from "../lib/time";
import { useLive } from "../live/stream";
import { Failed, Loading, Name, Simulated, State, T, Time } from "../parts/basics";
import { Dialog } from "../parts/dialog";
import { missing, Prove, proveFirst } from "./prove";

export function TimeLeft({ until }: { until: string }) {
  const now = useNow();
  const left = new Date(until).getTime() - now;
  return <span className={`num left${left < 60_000 ? " soon" : ""}`}>{left > 0 ? countdown(left) : "over"}</span>;
}

/** How many have to say yes, and who has. */
function Said({ a }: { a: ApprovalSummary }) {
  const { people = 1, yes = [] } = a;
  if (people < 2 && yes.length === 0) return null;
  return (
    <span>
      needs {plural(people, "person", "people")}
      {yes.length > 0 ? (
        <>
          ; yes so far: <T>{yes.join(", ")}</T>
        </>
      ) : null}
    </span>
  );
}

/** Who has a part in it, and whether their yes counts. */
function Parties({ a }: { a: ApprovalSummary }) {
  const { parties = [] } = a;
  return (
    <>
      {parties.map((p) => (
        <span key={p.person}>
          {p.counts ? "may answer all the same: " : "does not count: "}
          <T>{`${p.person}, who ${p.why}`}</T>
        </span>
      ))}
    </>
  );
}

export function ApprovalCard({ a }: { a: ApprovalSummary }) {
  return (
    <div className="card card-ask">
      <div className="line">
        <State word={a.state} />
        <TimeLeft until={a.expires_at} />
        <strong>
          <T>{a.action}</T> for {a.ttl}
        </strong>
        on <T>{a.responder}</T>
        {a.simulated ? <Simulated /> : null}
      </div>
      <p className="mute line">
        <Name id={a.id} />
        <span>
          blast radius <strong className={`blast-${a.blast_radius}`}>{a.blast_radius}</strong>
        </span>
        <span>{a.lasting ? <strong className="blast-high">cannot be undone</strong> : "ends by itself"}</span>
        <Said a={a} />
        <span>may answer: {a.teams.join(", ")}</span>
        <Parties a={a} />
        <span>
          code <span className="mono">{a.code}</span>
        </span>
      </p>
      <Link className="btn primary" to="/approvals/$id" params={{ id: a.id }}>
        Review and decide…
      </Link>
    </div>
  );
}

export function ApprovalDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const detail = useQuery(q.approval(id));
  const dry = useQuery(q.dryRun(id));
  const error = detail.error ?? dry.error;
  return (
    <Dialog title={detail.data ? `${capital(detail.data.action)} for ${detail.data.ttl}?` : id} onClose={onClose} wide>
      {detail.data && dry.data ? (
        <Review a={detail.data} dry={dry.data} onClose={onClose} />
      ) : error ? (
        <Failed error={error} />
      ) : (
        <Loading what={id} />
      )}
    </Dialog>
  );
}

function Facts({ a, dry }: { a: ApprovalDetail; dry: DryRunView }) {
  const b = a.blast;
  return (
    <dl className="dry" aria-label="What a yes does">
      <dt>Exactly</dt>
      <dd>
        <table className="call">
          <tbody>
            {dry.call.map((c) => (
              <tr key={c.name}>
                <th scope="row">{c.name}</th>
                <td className="mono">
                  <T>{c.value}</T>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </dd>
      <dt>Target</dt>
      <dd className="mono">
        {dry.targets.map((t) => (
          <div key={t}>
            <T>{t}</T>
          </div>
        ))}
        {dry.protected ? <p className="tone-bad state"><T>{dry.protected}</T></p> : <p className="mute plainfont">not on any protected list</p>}
      </dd>
      <dt>
        Blast radius <strong className={`blast-${b.level}`}>{b.level}</strong>
      </dt>
      <dd>
        <ul className="plain">
          {b.lines.map((l) => (
            <li key={l}>
              <T>{l}</T>
            </li>
          ))}
        </ul>
      </dd>
      <dt>Why</dt>
      <dd>
        <ul className="plain">
          {a.because.map((r) => (
            <li key={r}>
              <T>{r}</T>
            </li>
          ))}
        </ul>
      </dd>
      <dt>Ends</dt>
      <dd>
        <ul className="plain">
          {dry.undo.map((u) => (
            <li key={u}>{u}</li>
          ))}
        </ul>
      </dd>
      <dt>Is told</dt>
      <dd>
        {dry.told.length === 0 ? "nobody is configured" : null}
        <ul className="plain">
          {dry.told.map((t) => (
            <li key={t.name}>
              <T>{t.name}</T> by <T>{t.notifier}</T>: <T>{t.to.join(", ")}</T>
            </li>
          ))}
        </ul>
      </dd>
      <dt>Asked by</dt>
      <dd>
        playbook <Link to="/playbooks/$name" params={{ name: a.playbook }}>{a.playbook}</Link>, step <T>{a.step}</T> (<Name id={a.run} />) for{" "}
        <Name id={a.incident} />, <Time at={a.requested_at} />
      </dd>
      <dt>Digest</dt>
      <dd className="mono digest">
        <strong>{a.code}</strong> {a.digest}
      </dd>
    </dl>
  );
}

function Review({ a, dry, onClose }: { a: ApprovalDetail; dry: DryRunView; onClose: () => void }) {
  return (
    <div className="review">
      <p className="line">
        <State word={a.state} />
        {a.state === "pending" ? (
          <>
            <span>
              time to answer: <TimeLeft until={a.expires_at} />
            </span>
            <span>may answer: {a.teams.join(", ")}</span>
            <Said a={a} />
            <Parties a={a} />
          </>
        ) : null}
        {a.renewal ? <span className="state tone-info">asks for a later end</span> : null}
        {a.lasting ? <span className="state tone-bad">cannot be undone</span> : null}
        {a.simulated ? <Simulated /> : null}
      </p>
      <p>
        <Name id={a.incident} /> <T>{a.title}</T>
      </p>
      {dry.kill_switch ? <p className="state tone-bad">The kill switch is on: a yes changes nothing now.</p> : null}
      <Facts a={a} dry={dry} />
      {a.state === "pending" ? <Decide a={a} dry={dry} /> : <Settled a={a} onClose={onClose} />}
    </div>
  );
}

function Settled({ a, onClose }: { a: ApprovalDetail; onClose: () => void }) {
  return (
    <div className="card">
      <p role="status">
        {a.settled ? (
          <>
            <strong>{a.settled.how}</strong> by <T>{a.settled.by}</T>, <Time at={a.settled.at} />
            {a.settled.reason ? (
              <>
                : <T>{a.settled.reason}</T>
              </>
            ) : null}
          </>
        ) : (
          <strong>{a.state}</strong>
        )}
      </p>
      <p className="line">
        <Link className="btn" to="/incidents/$id" params={{ id: a.incident }}>
          To {a.incident}
        </Link>
        <button type="button" className="btn quiet" onClick={onClose}>
          Close
        </button>
      </p>
    </div>
  );
}

function Decide({ a, dry }: { a: ApprovalDetail; dry: DryRunView }) {
  const live = useLive();
  const me = useQuery(q.whoami()).data;
  const now = useNow();
  const id = useId();
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const [denying, setDenying] = useState(false);
  const path = { params: { path: { id: a.id } } };
  const body = { digest: dry.digest, ...(reason.trim() ? { reason: reason.trim() } : {}) };
  const [proof, setProof] = useState("");
  const yes = useAct(
    async () => {
      await proveFirst(a, dry.digest, proof);
      return ask(api.POST("/api/v1/approvals/{id}/approve", { ...path, body }));
    },
    { quiet: true },
  );
  const no = useAct(() => ask(api.POST("/api/v1/approvals/{id}/deny", { ...path, body })), { quiet: true });
  const mayAnswer = me?.may?.includes("decide") && a.teams.some((t) => me.teams.includes(t));
  const part = (a.parties ?? []).find((p) => p.person === me?.name && !p.counts);
  const others = a.may_say_yes ?? [];
  const said = me !== undefined && (a.yes ?? []).includes(me.name);
  const over = new Date(a.expires_at).getTime() <= now;
  const careful = a.blast_radius === "high";
  const target = dry.targets[0] ?? "";
  const ready = live.state !== "offline" && !over && (!careful || typed.trim() === target) && (!missing(a.fresh) || proof !== "");
  const busy = yes.isPending || no.isPending;
  if (me && !mayAnswer) {
    return (
      <p className="card">
        You may look. An answer needs the role approver and one of these teams: {a.teams.join(", ")}.
      </p>
    );
  }
  if (said) {
    return (
      <p className="card" role="status">
        {`Your yes is counted; ${(a.people ?? 1) - (a.yes ?? []).length} more to go.`}
      </p>
    );
  }
  return (
    <form
      className="decide"
      onSubmit={(e) => {
        e.preventDefault();
        // Enter in a field must not decide: only the button pressed does.
      }}
    >
      <label htmlFor={`${id}r`}>Reason {denying ? "" : "(for a yes it may be left out)"}</label>
      <textarea id={`${id}r`} rows={2} value={reason} maxLength={8000} onChange={(e) => setReason(e.target.value)} />
      {part ? (
        <p className="state tone-info" role="status">
          <T>{`A yes of yours does not count: ${part.person} ${part.why}. ${others.length > 0 ? `May say yes instead: ${others.join(", ")}.` : "Nobody else may say yes now: put another approver into one of the teams."} Your no counts.`}</T>
        </p>
      ) : null}
      {careful && !part ? (
        <>
          <label htmlFor={`${id}t`}>
            The blast radius is high. Type <code>{target}</code> to go on
          </label>
          <input id={`${id}t`} value={typed} onChange={(e) => setTyped(e.target.value)} autoComplete="off" spellCheck={false} />
        </>
      ) : null}
      {part ? null : <Prove a={a} digest={dry.digest} typed={proof} setTyped={setProof} />}
      {denying && reason.trim() === "" ? (
        <p role="alert" className="mute">
          A no needs a reason: write it above, then say no again.
        </p>
      ) : null}
      {yes.error || no.error ? <Failed error={yes.error ?? no.error} /> : null}
      <footer>
        {part ? null : (
          <button type="button" className="btn primary danger-ok" disabled={!ready || busy} onClick={() => yes.mutate(undefined as never)}>
            {yes.isPending ? "Sending…" : `Yes: ${a.action} for ${a.ttl}`}
          </button>
        )}
        <button
          type="button"
          className="btn"
          disabled={live.state === "offline" || over || busy}
          onClick={() => (reason.trim() === "" ? setDenying(true) : no.mutate(undefined as never))}
        >
          No
        </button>
        <span className="mute">
          {live.state === "offline" ? "offline: nothing can be decided" : over ? "its time is over" : `counts for exactly what is shown, code ${a.code}`}
        </span>
      </footer>
      <p className="mute">{plural(dry.targets.length, "target")}. The guard judges again when it acts.</p>
    </form>
  );
}
