// One incident: its story, its time, who takes part, the evidence, and what can be done.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import * as q from "../api/queries";
import type { IncidentDetail, StoryView } from "../api/types";
import { useKeys } from "../lib/keys";
import { ExportIncident } from "../parts/export";
import { saveText } from "../lib/save";
import { human, plural, visible } from "../lib/text";
import { Loading, Name, Panel, Severity, Show, State, T, Time } from "../parts/basics";
import { copyLink } from "../shell";
import { Assisted } from "./incident-assisted";
import { Actions, type Doing, Dialogs } from "./incident-actions";
import { Evidence } from "./incident-evidence";
import { Timeline } from "./incident-timeline";

const Graph = lazy(() => import("./graph").then((m) => ({ default: m.Graph })));
const AlertDialog = lazy(() => import("./alert").then((m) => ({ default: m.AlertDialog })));
const route = getRouteApi("/shell/incidents/$id");

export function Incident() {
  const { id } = route.useParams();
  const search = route.useSearch();
  const navigate = useNavigate();
  const detail = useQuery(q.incident(id));
  const story = useQuery(q.story(id));
  const [doing, setDoing] = useState<Doing>();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const list = useQuery(q.queue({})).data?.rows ?? [];
  const here = list.findIndex((r) => r.id === id);
  const step = (by: number) => {
    const to = list[here < 0 ? 0 : here + by];
    if (to && to.id !== id) void navigate({ to: "/incidents/$id", params: { id: to.id } });
  };
  const set = (change: Partial<typeof search>) =>
    void navigate({
      to: "/incidents/$id",
      params: { id },
      search: (s) => Object.fromEntries(Object.entries({ ...s, ...change }).filter(([, v]) => v !== undefined)),
      replace: true,
      resetScroll: false,
    });

  useKeys({
    "[": () => step(-1),
    "]": () => step(1),
    e: () => setDoing("ack"),
    c: () => setDoing("note"),
    m: () => setDoing("merge"),
    "Shift+M": () => setDoing("split"),
    v: () => set({ view: search.view === "table" ? undefined : "table" } as never),
    Escape: () => void navigate({ to: "/queue", search: { at: id } }),
  });

  return (
    <Show of={detail} what={id}>
      {(i) => (
        <div className="incident">
          <Head i={i} story={story.data} onDo={setDoing} />
          <div className="columns">
            <div className="column">
              <Panel title="What happened" side={story.data ? <Stages story={story.data} /> : undefined}>
                <Show of={story} what="the story">
                  {(s) => <Summary story={s} incident={i} />}
                </Show>
              </Panel>
              <Timeline id={id} search={search} onSet={set as never} />
            </div>
            <div className="column">
              <Actions incident={i} />
              <Panel
                title="Who takes part"
                side={
                  <div className="views" role="group" aria-label="Show as">
                    <button type="button" className="chip" aria-pressed={search.view !== "table"} onClick={() => set({ view: undefined } as never)}>
                      Graph
                    </button>
                    <button type="button" className="chip" aria-pressed={search.view === "table"} onClick={() => set({ view: "table" })}>
                      Table <kbd>v</kbd>
                    </button>
                  </div>
                }
              >
                <Suspense fallback={<Loading what="the graph" />}>
                  <Graph id={id} table={search.view === "table"} entity={search.entity} onEntity={(entity) => set({ entity } as never)} />
                </Suspense>
              </Panel>
              <Known incident={i} story={story.data} />
              <Before story={story.data} />
              {story.data?.assistant ? <Assisted id={id} model={story.data.assistant} /> : null}
            </div>
          </div>
          <Evidence
            id={id}
            entity={search.entity}
            chosen={chosen}
            onChoose={setChosen}
            onSplit={() => setDoing("split")}
            onOpen={(alert) => set({ alert })}
          />
          <Dialogs incident={i} doing={doing} chosen={chosen} onClose={(was) => setDoing((now) => (was === undefined || now === was ? undefined : now))} onSplit={() => setChosen(new Set())} />
          {search.alert ? (
            <Suspense fallback={null}>
              <AlertDialog id={search.alert} onClose={() => set({ alert: undefined } as never)} />
            </Suspense>
          ) : null}
        </div>
      )}
    </Show>
  );
}

function Head({ i, story, onDo }: { i: IncidentDetail; story: StoryView | undefined; onDo: (d: Doing) => void }) {
  return (
    <header className="incident-head">
      <div className="line">
        <span className="mono id">{i.id}</span>
        <h1>
          <T>{i.title}</T>
        </h1>
        <Severity word={i.severity} />
        <State word={i.status} />
        {i.merged_into ? (
          <span>
            part of <Name id={i.merged_into} />
          </span>
        ) : null}
      </div>
      <div className="line mute">
        <span>{Math.round(i.confidence * 100)} % sure</span>
        <span>
          {plural(i.records, "record")} → {plural(i.alerts, "alert")}
        </span>
        <span>opened <Time at={i.opened_at} /></span>
        <span>
          owner: {i.acknowledged_by ? <T>{i.acknowledged_by}</T> : "nobody"}
          {i.team ? (
            <>
              , team <T>{i.team}</T>
            </>
          ) : null}
        </span>
        {i.escalation.next ? (
          <span>
            next person is told at <Time at={i.escalation.next} />
          </span>
        ) : null}
        {i.parts.length > 0 ? (
          <span>
            with {i.parts.map((p) => <Name key={p} id={p} />)}
          </span>
        ) : null}
      </div>
      <div className="line buttons">
        {i.status === "triggered" ? (
          <button type="button" className="btn primary" onClick={() => onDo("ack")}>
            Acknowledge <kbd>e</kbd>
          </button>
        ) : null}
        <button type="button" className="btn" onClick={() => onDo("note")}>
          Note <kbd>c</kbd>
        </button>
        <button type="button" className="btn" onClick={() => onDo("merge")}>
          Merge… <kbd>m</kbd>
        </button>
        {i.merged_into ? (
          <button type="button" className="btn" onClick={() => onDo("unmerge")}>
            Take out again…
          </button>
        ) : null}
        {i.status !== "resolved" ? (
          <button type="button" className="btn" onClick={() => onDo("resolve")}>
            Resolve…
          </button>
        ) : null}
        <span className="grow" />
        <ExportIncident id={i.id} />
        <button type="button" className="btn quiet" onClick={copyLink}>
          Copy link <kbd>y</kbd>
        </button>
        <button
          type="button"
          className="btn quiet"
          disabled={!story}
          onClick={() => story && saveText(`${i.id}.txt`, "text/plain", story.text)}
        >
          Story as text
        </button>
        <Link className="btn quiet" to="/queue" search={{ at: i.id }}>
          Queue <kbd>Esc</kbd>
        </Link>
      </div>
    </header>
  );
}

function Stages({ story }: { story: StoryView }) {
  return (
    <span className="tags">
      {story.techniques.slice(0, 6).map((t) => (
        <span key={t} className="tag mono">
          {visible(t)}
        </span>
      ))}
      {story.techniques.length > 6 ? <span className="mute">+{story.techniques.length - 6}</span> : null}
    </span>
  );
}

function Summary({ story, incident }: { story: StoryView; incident: IncidentDetail }) {
  return (
    <div className="summary">
      <p>
        {story.stages.length > 0 ? (
          <>
            Seen: {story.stages.map((s) => human(s)).join(" → ")}.{" "}
          </>
        ) : null}
        {story.actors_total > 0 ? `${plural(story.actors_total, "machine or account", "machines and accounts")} take part.` : ""}
      </p>
      <ul className="told">
        {story.happened.slice(0, 4).map((s) => (
          <li key={s.at + s.text}>
            <T>{s.text}</T>{" "}
            <span className="cites">
              {s.alerts.slice(0, 3).map((a) => (
                <Name key={a} id={a} incident={incident.id} />
              ))}
              {s.more + Math.max(0, s.alerts.length - 3) > 0 ? (
                <span className="mute">+{s.more + Math.max(0, s.alerts.length - 3)}</span>
              ) : null}
            </span>
          </li>
        ))}
      </ul>
      <details>
        <summary>Why it was opened</summary>
        <ul className="plain">
          {incident.because.map((b) => (
            <li key={b}>
              <T>{b}</T>
            </li>
          ))}
        </ul>
      </details>
    </div>
  );
}

// What solved such incidents before and who had them: advice, and nothing is done by it.
function Before({ story }: { story: StoryView | undefined }) {
  const before = story?.before ?? [];
  return before.length === 0 ? null : (
    <Panel title="What solved it before">
      <ul className="plain">
        {before.map((b) => (
          <li key={b}>
            <T>{b}</T>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Known({ incident, story }: { incident: IncidentDetail; story: StoryView | undefined }) {
  const unknown = story?.unknown ?? [];
  return (
    <Panel title="What is not known">
      {unknown.length === 0 && incident.missing.length === 0 ? (
        <p className="mute">Every look-up answered.</p>
      ) : (
        <ul className="plain">
          {unknown.map((u) => (
            <li key={u}>
              <T>{u}</T>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
