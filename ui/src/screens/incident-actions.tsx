// What can be done about an incident: questions that wait, changes in force, and people's own moves.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, ask } from "../api/client";
import * as q from "../api/queries";
import type { AnnouncedView, BlockView, IncidentDetail } from "../api/types";
import { useAct } from "../lib/act";
import { useNow } from "../lib/now";
import { plural } from "../lib/text";
import { countdown } from "../lib/time";
import { Name, Panel, Simulated, State, T, Time } from "../parts/basics";
import { Dialog, ReasonDialog } from "../parts/dialog";
import { ApprovalCard } from "./approval-card";

export type Doing = "ack" | "note" | "resolve" | "merge" | "unmerge" | "split";

export function Actions({ incident }: { incident: IncidentDetail }) {
  const questions = useQuery(q.approvals({ incident: incident.id })).data?.approvals ?? [];
  const changes = useQuery(q.blocks({ incident: incident.id, all: true })).data;
  const blocks = changes?.blocks ?? [];
  const announced = changes?.announced?.filter((c) => c.incident === incident.id);
  const runs = useQuery(q.runs({ incident: incident.id })).data?.runs ?? [];
  const waiting = questions.filter((a) => a.state === "pending");
  const decided = questions.filter((a) => a.state !== "pending");
  return (
    <Panel title="Actions">
      {waiting.map((a) => (
        <ApprovalCard key={a.id} a={a} />
      ))}
      {blocks.map((b) => (
        <Block key={b.id} b={b} />
      ))}
      {(announced ?? []).map((c) => (
        <Announced key={c.id} c={c} />
      ))}
      {waiting.length === 0 && blocks.length === 0 ? (
        <p className="mute pad">
          Nothing is proposed and nothing is in force.{" "}
          {runs.length === 0 ? "No playbook matched: this one is worked by hand." : null}
        </p>
      ) : null}
      {runs.map((r) => (
        <p key={r.id} className="pad line">
          <Name id={r.id} /> <T>{r.playbook}</T> <State word={r.state} />
          {r.step ? (
            <span className="mute">
              at step <T>{r.step}</T> since <Time at={r.step_since} />
            </span>
          ) : null}
          {r.why ? (
            <span className="mute">
              <T>{r.why}</T>
            </span>
          ) : null}
        </p>
      ))}
      {decided.map((a) => (
        <p key={a.id} className="pad line mute">
          <Name id={a.id} /> <T>{a.action}</T> <State word={a.state} />
          {a.settled ? (
            <span>
              by <T>{a.settled.by}</T>, <Time at={a.settled.at} />
            </span>
          ) : null}
        </p>
      ))}
    </Panel>
  );
}

export function Block({ b }: { b: BlockView }) {
  const now = useNow();
  const [releasing, setReleasing] = useState(false);
  const live = !b.ended;
  const release = useAct(
    (reason: string) =>
      ask(api.POST("/api/v1/blocks/{id}/release", { params: { path: { id: b.id } }, body: { reason } })),
    { after: () => setReleasing(false) },
  );
  const left = b.until ? new Date(b.until).getTime() - now : undefined;
  return (
    <div className={`card ${live ? "card-live" : ""}`} data-block={b.id}>
      <div className="line">
        <State word={b.state} />
        <strong>
          <T>{b.action}</T>
        </strong>
        on <T>{b.responder}</T>
        {b.simulated ? <Simulated /> : null}
        <span className="grow" />
        <span className="mono mute">{b.id}</span>
      </div>
      <p className="mute">
        {live && left !== undefined ? (
          <>
            ends by itself in <strong className="num">{countdown(left)}</strong>
            {b.observed ? (
              <>
                ; the device showed it <T>{b.observed}</T>
                {b.observed_at ? (
                  <>
                    {" "}
                    at <Time at={b.observed_at} />
                  </>
                ) : null}
              </>
            ) : null}
          </>
        ) : null}
        {live && left === undefined ? "on its way to the device" : null}
        {b.ended ? (
          <>
            ended <Time at={b.ended.at} />: <T>{b.ended.why}</T>
          </>
        ) : null}
        {b.approval ? (
          <>
            {" "}
            · rests on <Name id={b.approval} />
          </>
        ) : null}
        {b.repairs ? ` · made again ${b.repairs} times after it had vanished` : ""}
      </p>
      {live ? (
        <button type="button" className="btn" onClick={() => setReleasing(true)}>
          Release…
        </button>
      ) : null}
      {releasing ? (
        <ReasonDialog
          title={`Release ${b.target}`}
          button={`Release ${b.target} now`}
          busy={release.isPending}
          onClose={() => setReleasing(false)}
          onGive={(reason) => release.mutate(reason)}
        >
          <p>
            Takes back <strong><T>{b.action}</T></strong> on <T>{b.responder}</T>, reads the device, and tells the network team.
            Undoing needs nobody's leave.
          </p>
        </ReasonDialog>
      ) : null}
    </div>
  );
}

/** A change that is made unless the network team says no. */
export function Announced({ c }: { c: AnnouncedView }) {
  const [saying, setSaying] = useState(false);
  const veto = useAct(
    (reason: string) => ask(api.POST("/api/v1/blocks/{id}/veto", { params: { path: { id: c.id } }, body: { reason } })),
    { after: () => setSaying(false) },
  );
  return (
    <div className="card card-ask">
      <div className="line">
        <span className="state tone-warn">announced</span>
        <strong>
          <T>{c.action}</T>
        </strong>
        on <T>{c.responder}</T>, at <Time at={c.at} /> for <Name id={c.incident} />
        <span className="grow" />
        <span className="mono mute">{c.id}</span>
      </div>
      <p className="mute">It is made at that time unless the network team says no.</p>
      <button type="button" className="btn" onClick={() => setSaying(true)}>
        Say no…
      </button>
      {saying ? (
        <ReasonDialog title={`Say no to ${c.id}`} button="Say no" busy={veto.isPending} onClose={() => setSaying(false)} onGive={(r) => veto.mutate(r)}>
          <p>
            <T>{c.action}</T> on <T>{c.responder}</T> is not made.
          </p>
        </ReasonDialog>
      ) : null}
    </div>
  );
}

export function Dialogs({
  incident,
  doing,
  chosen,
  onClose,
  onSplit,
}: {
  incident: IncidentDetail;
  doing: Doing | undefined;
  chosen: ReadonlySet<string>;
  onClose: (was?: Doing) => void;
  onSplit: () => void;
}) {
  const { id } = incident;
  const path = { params: { path: { id } } };
  // An answer closes the dialog it belongs to, and no other that was opened meanwhile.
  const ack = useAct(() => ask(api.POST("/api/v1/incidents/{id}/ack", { ...path, body: {} })));
  const note = useAct((text: string) => ask(api.POST("/api/v1/incidents/{id}/note", { ...path, body: { text } })), {
    after: () => onClose("note"),
  });
  const unmerge = useAct(() => ask(api.POST("/api/v1/incidents/{id}/unmerge", { ...path, body: {} })), {
    after: () => onClose("unmerge"),
  });
  const { mutate } = ack;
  useEffect(() => {
    if (doing !== "ack") return;
    mutate(undefined as never);
    onClose();
  }, [doing, mutate, onClose]);
  if (doing === "note") {
    return (
      <Dialog title={`A note on ${id}`} onClose={() => onClose()}>
        <form
          onSubmit={(e) => {
            e.preventDefault();
            note.mutate(String(new FormData(e.currentTarget).get("text") ?? ""));
          }}
        >
          <label htmlFor="note">What you found or did</label>
          <textarea id="note" data-first name="text" rows={5} required maxLength={8000} />
          <footer>
            <button type="submit" className="btn primary" disabled={note.isPending}>
              Write it down
            </button>
          </footer>
        </form>
      </Dialog>
    );
  }
  if (doing === "unmerge") {
    return (
      <Dialog title={`Take ${id} out of ${incident.merged_into}`} onClose={() => onClose()}>
        <p>The two are never merged again by the machine.</p>
        <footer>
          <button type="button" className="btn primary" disabled={unmerge.isPending} onClick={() => unmerge.mutate(undefined as never)}>
            Take {id} out
          </button>
        </footer>
      </Dialog>
    );
  }
  if (doing === "resolve") return <Resolve incident={incident} onClose={() => onClose("resolve")} />;
  if (doing === "merge") return <Merge id={id} onClose={() => onClose("merge")} />;
  if (doing === "split") {
    const done = () => {
      onSplit();
      onClose("split");
    };
    return <Split id={id} chosen={chosen} onClose={() => onClose("split")} onDone={done} />;
  }
  return null;
}

function Resolve({ incident, onClose }: { incident: IncidentDetail; onClose: () => void }) {
  const [leave, setLeave] = useState(false);
  const act = useAct(
    (reason: string) =>
      ask(
        api.POST("/api/v1/incidents/{id}/resolve", {
          params: { path: { id: incident.id } },
          body: { reason, leave_changes: leave },
        }),
      ),
    { after: onClose },
  );
  return (
    <ReasonDialog title={`Resolve ${incident.id}`} button={`Resolve ${incident.id}`} busy={act.isPending} onClose={onClose} onGive={(r) => act.mutate(r)}>
      {incident.blocks.length > 0 ? (
        <label className="check">
          <input type="checkbox" checked={leave} onChange={(e) => setLeave(e.target.checked)} />
          Changes in force run to their end (otherwise release them first)
        </label>
      ) : null}
    </ReasonDialog>
  );
}

function Merge({ id, onClose }: { id: string; onClose: () => void }) {
  const others = (useQuery(q.queue({})).data?.rows ?? []).filter((r) => r.id !== id);
  const [into, setInto] = useState("");
  const back = useAct(() => ask(api.POST("/api/v1/incidents/{id}/unmerge", { params: { path: { id } }, body: {} })));
  const act = useAct(
    (reason: string) => ask(api.POST("/api/v1/incidents/{id}/merge", { params: { path: { id } }, body: { into, reason } })),
    { after: onClose, undo: () => () => back.mutate(undefined) },
  );
  return (
    <ReasonDialog title={`Merge ${id} into another`} button={into ? `Merge ${id} into ${into}` : "Merge"} busy={act.isPending || !into} onClose={onClose} onGive={(r) => act.mutate(r)}>
      {others.length === 0 ? (
        <p>No other incident is open.</p>
      ) : (
        <>
          <label htmlFor="into">The one that goes on</label>
          <select id="into" value={into} onChange={(e) => setInto(e.target.value)} required>
            <option value="">Choose…</option>
            {others.map((r) => (
              <option key={r.id} value={r.id}>
                {r.id} {r.title}
              </option>
            ))}
          </select>
        </>
      )}
      <p className="mute">Both keep what is theirs; it can be taken back.</p>
    </ReasonDialog>
  );
}

function Split({ id, chosen, onClose, onDone }: { id: string; chosen: ReadonlySet<string>; onClose: () => void; onDone: () => void }) {
  const back = useAct((from: string) =>
    ask(api.POST("/api/v1/incidents/{id}/split", { params: { path: { id: from } }, body: { alerts: [...chosen], to: id } })),
  );
  const act = useAct(
    () => ask(api.POST("/api/v1/incidents/{id}/split", { params: { path: { id } }, body: { alerts: [...chosen] } })),
    { after: onDone, undo: (r) => (r.incident ? () => back.mutate(r.incident as string) : undefined) },
  );
  return (
    <Dialog title={`Split ${id}`} onClose={onClose}>
      {chosen.size === 0 ? (
        <p>Select alerts in the table of evidence first.</p>
      ) : (
        <>
          <p>
            {plural(chosen.size, "alert")} leave {id} and become an incident of their own. The machine never puts the two together again.
          </p>
          <footer>
            <button type="button" className="btn primary" disabled={act.isPending} onClick={() => act.mutate(undefined as never)}>
              Split out {plural(chosen.size, "alert")}
            </button>
          </footer>
        </>
      )}
    </Dialog>
  );
}
