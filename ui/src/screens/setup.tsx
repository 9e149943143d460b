// The first minutes, in three steps: the first administrator, the first source, the first story.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useState } from "react";
import { api, ask } from "../api/client";
import * as q from "../api/queries";
import { useAct } from "../lib/act";
import { plural } from "../lib/text";
import { Show, T } from "../parts/basics";
import { Toasts } from "../parts/toasts";
import { words } from "./signin";
import { Passwords, secretOfAddress } from "./welcome";

const route = getRouteApi("/setup");
const STEPS = ["The first administrator", "The first source", "The first story"];

export function SetUp() {
  const { step } = route.useSearch();
  const navigate = useNavigate();
  // Only somebody who has come in gets past the first step: without a session the API refuses the others.
  const me = useQuery({ ...q.whoami(), enabled: step !== undefined });
  const at = step ?? 1;
  const go = (to: number) => void navigate({ to: "/setup", search: { step: to } });
  return (
    <main className="alone">
      <div className="signin setup">
        <h1>Setting Stanch up</h1>
        <ol className="steps" aria-label="Steps">
          {STEPS.map((name, n) => (
            <li key={name} aria-current={n + 1 === at ? "step" : undefined}>
              {name}
            </li>
          ))}
        </ol>
        {at === 1 ? <First onDone={() => go(2)} /> : null}
        {at > 1 && me.isError ? (
          <p className="failed" role="alert">
            You are not signed in any more. <a href="/signin?next=/setup?step=2">To the sign-in</a>
          </p>
        ) : null}
        {at === 2 && me.data ? <Source onDone={() => go(3)} /> : null}
        {at === 3 && me.data ? <Story /> : null}
      </div>
      <Toasts />
    </main>
  );
}

function First({ onDone }: { onDone: () => void }) {
  const client = useQueryClient();
  const [token] = useState(secretOfAddress);
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  async function submit(e: FormEvent<HTMLFormElement>): Promise<void> {
    e.preventDefault();
    const form = new FormData(e.currentTarget);
    const said = (name: string) => String(form.get(name) ?? "");
    if (said("password") !== said("again")) return setError("The two passwords are not the same.");
    setBusy(true);
    setError(undefined);
    try {
      await ask(api.POST("/api/v1/session/set-up", { body: { token, name: said("name").trim(), password: said("password") } }));
      client.clear();
      onDone();
    } catch (e) {
      setError(words(e));
      setBusy(false);
    }
  }
  if (token === "") {
    return (
      <>
        <p>
          This step needs the address that <code>stanch up</code> prints, with everything behind the #. It works once, for 15 minutes, on the
          machine that Stanch runs on.
        </p>
        <a href="/signin">To the sign-in</a>
      </>
    );
  }
  return (
    <form className="stack" onSubmit={(e) => void submit(e)}>
      <label htmlFor="name">Your name, as the journal will show it</label>
      <input
        id="name"
        name="name"
        required
        autoFocus
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        pattern="[a-z0-9][a-z0-9_\-]*"
        maxLength={63}
        aria-describedby="name-help"
      />
      <p id="name-help" className="mute">
        Small letters, digits, - and _.
      </p>
      <Passwords />
      {error ? (
        <p className="failed" role="alert">
          {error}
        </p>
      ) : null}
      <button type="submit" className="btn primary" disabled={busy}>
        {busy ? "Making it…" : "Make the first administrator"}
      </button>
    </form>
  );
}

function Copyable({ label, text }: { label: string; text: string }) {
  return (
    <figure className="copyable">
      <figcaption>{label}</figcaption>
      <pre className="once" tabIndex={0}>
        <T>{text}</T>
      </pre>
      <button type="button" className="btn" aria-label={`Copy: ${label}`} onClick={() => void navigator.clipboard?.writeText(text)}>
        Copy
      </button>
    </figure>
  );
}

function Source({ onDone }: { onDone: () => void }) {
  const asked = useQuery({ ...q.firstRun(), refetchInterval: 2_000 });
  const [name, setName] = useState("suricata");
  return (
    <Show of={asked} what="the sources">
      {(first) => {
        const source = first.sources.find((s) => s.name === name) ?? first.sources[0];
        if (!source) {
          return (
            <>
              <p>
                No source is configured. Add one to <code>{first.config_dir}/sources</code>, then reload.
              </p>
              <Next onDone={onDone}>Go on without one</Next>
            </>
          );
        }
        return (
          <div className="stack">
            <label htmlFor="source">What sends you alerts?</label>
            <select id="source" value={source.name} onChange={(e) => setName(e.target.value)}>
              {first.sources.map((s) => (
                <option key={s.name} value={s.name}>
                  {s.name} ({s.format})
                </option>
              ))}
            </select>
            <Copyable label="Send a file with stanch, on this machine" text={source.command} />
            {source.curl ? <Copyable label="Or with curl" text={source.curl} /> : null}
            <p className="mute">
              Put your file in the place of <code>FILE</code>. The secret stays in its file; the shell puts it in.
            </p>
            <p role="status">
              {source.received > 0 ? (
                <span className="state tone-good">{plural(source.received, "record", "records")} came in from {source.name}</span>
              ) : (
                <span className="state tone-mute">nothing came in from {source.name} yet; this page looks every two seconds</span>
              )}
            </p>
            <Next onDone={onDone}>{source.received > 0 ? "Next" : "Go on without, for now"}</Next>
          </div>
        );
      }}
    </Show>
  );
}

function Next({ onDone, children }: { onDone: () => void; children: ReactNode }) {
  return (
    <button type="button" className="btn primary" onClick={onDone}>
      {children}
    </button>
  );
}

function Story() {
  const first = useQuery({ ...q.firstRun(), refetchInterval: (query) => (query.state.data?.samples.length ? false : 1_000) });
  const id = first.data?.samples.at(-1);
  const story = useQuery({ ...q.story(id ?? ""), enabled: id !== undefined });
  const send = useAct(() => ask(api.POST("/api/v1/admin/sample")));
  const away = useAct(() => ask(api.POST("/api/v1/admin/sample/take-away")));
  if (id === undefined) {
    return (
      <div className="stack">
        <p>
          Sample data shows what an incident looks like: a machine that was broken into calls home. It is marked as sample data everywhere, counts
          in no clock, changes nothing real, and goes away with one click.
        </p>
        <button type="button" className="btn primary" disabled={send.isPending} onClick={() => send.mutate(undefined as never)}>
          Send a sample
        </button>
        <a href="/queue">To the queue without it</a>
      </div>
    );
  }
  return (
    <div className="stack">
      <h2>The first story: {id}</h2>
      <Show of={story} what="the story">
        {(s) => (
          <pre className="story-text" tabIndex={0} aria-label="The story">
            <T>{s.text}</T>
          </pre>
        )}
      </Show>
      <a className="btn primary" href={`/incidents/${id}`}>
        Open the incident
      </a>
      <button type="button" className="btn" disabled={away.isPending} onClick={() => away.mutate(undefined as never)}>
        Take the sample away
      </button>
    </div>
  );
}
