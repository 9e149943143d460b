// Writing a playbook: text with suggestions and mistakes by line, its picture as one types, what it does
// otherwise than the version in force, a rehearsal, and saving it.
import "../styles/playbook.css";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useBlocker } from "@tanstack/react-router";
import { lazy, Suspense, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { api, ask, Refused } from "../api/client";
import * as q from "../api/queries";
import type { PlaybookCheck } from "../api/types";
import { useAct } from "../lib/act";
import { saveText as saveFile } from "../lib/save";
import type { Schema } from "../lib/schema";
import { plural, visible } from "../lib/text";
import { Failed, Loading, Page, Panel, T } from "../parts/basics";
import { Differences } from "../parts/difference";
import type { Handle, Mistake } from "../parts/yaml-editor";
import { Rehearse } from "./playbook-rehearse";

const YamlEditor = lazy(() => import("../parts/yaml-editor"));
const PlanGraph = lazy(() => import("../parts/plan-graph"));
const route = getRouteApi("/shell/playbooks/$name/edit");

/** How long to wait after the last letter before the server is asked. */
const PAUSE = 350;
/** The longest text the server takes, in bytes. */
const LONGEST = 60 * 1024;

const EMPTY = (name: string) => `name: ${name}
summary: One line that says what it does
when: incident.kind == "c2" && incident.peer != ""

steps:
  - id: block
    block_address:
      target: incident.peer
      ttl: 4h
      approvers: [secops]

  - id: check
    verify: all

  - id: tell
    notify: { team: secops, text: "\${{ incident.id }}: \${{ incident.peer }} is blocked" }

sop: |
  What to do by hand, and why.
`;

/** What the server says of a text, asked a moment after the last letter. */
function useCheck(name: string, text: string) {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(text), PAUSE);
    return () => window.clearTimeout(timer);
  }, [text]);
  const asked = useQuery({
    queryKey: ["playbook-check", name, settled],
    queryFn: () => ask(api.POST("/api/v1/playbooks/{name}/check", { params: { path: { name } }, body: { text: settled } })),
    placeholderData: (before) => before,
    gcTime: 60_000,
    retry: false,
  });
  return { asked, current: settled === text && !asked.isPlaceholderData };
}

export function PlaybookEdit() {
  const { name } = route.useParams();
  const all = useQuery(q.playbooks());
  const known = all.data?.playbooks.some((p) => p.name === name);
  const one = useQuery({ ...q.playbook(name), enabled: known === true });
  const failed = all.error ?? one.error;
  if (failed) return <Failed error={failed} />;
  if (known === undefined || (known && !one.data)) return <Loading what={name} />;
  return (
    <Edit
      key={name}
      name={name}
      begun={one.data ? { text: one.data.source, hash: one.data.hash } : { text: EMPTY(name), hash: "" }}
      inForce={one.data?.source}
      readOnly={all.data?.read_only ?? undefined}
    />
  );
}

function Edit({ name, begun, inForce, readOnly }: { name: string; begun: { text: string; hash: string }; inForce: string | undefined; readOnly: string | undefined }) {
  const [text, setText] = useState(begun.text);
  const [base, setBase] = useState(begun);
  const { data: me } = useQuery(q.whoami());
  const client = useQueryClient();
  useQuery(q.playbookSchema());
  const schema = () => client.ensureQueryData(q.playbookSchema()) as Promise<Schema>;
  const { asked, current } = useCheck(name, text);
  const handle = useRef<Handle>(undefined);
  const own = `playbooks/${name}.yaml`;
  const check = asked.data;
  const mistakes = useMemo(() => (check?.mistakes ?? []).filter((m) => m.file === own) as Mistake[], [check, own]);
  const elsewhere = (check?.mistakes ?? []).filter((m) => m.file !== own);
  const changed = text !== base.text || base.hash === "";
  const bytes = new TextEncoder().encode(text).length;
  const mayWrite = me?.role === "admin";

  const save = useAct(
    () => ask(api.PUT("/api/v1/playbooks/{name}", { params: { path: { name } }, body: { text, base: base.hash } })),
    { quiet: true, after: (r) => setBase({ text, hash: r.hash }) },
  );
  const canSave = mayWrite && !readOnly && changed && current && check?.ok === true && bytes <= LONGEST && !save.isPending;
  useBlocker({
    shouldBlockFn: () => text !== base.text && !window.confirm("Leave without saving? What you wrote is lost."),
    enableBeforeUnload: () => text !== base.text,
  });

  return (
    <Page
      title={base.hash ? `Edit ${visible(name)}` : `New playbook ${visible(name)}`}
      side={
        <span className="line">
          <Link to="/playbooks">All playbooks</Link>
          {base.hash ? (
            <Link to="/playbooks/$name" params={{ name }}>
              Its page
            </Link>
          ) : null}
        </span>
      }
    >
      <div className="edit-bar">
        <Verdict check={check} current={current} error={asked.error} changed={changed} />
        <button type="button" className="btn quiet" onClick={() => saveFile(`${name}.yaml`, "application/yaml", text)}>
          Download
        </button>
        <button type="button" className="btn primary" disabled={!canSave} onClick={() => save.mutate()}>
          {save.isPending ? "Saving…" : "Save and put in force"}
        </button>
      </div>
      {readOnly ? (
        <p className="notice" role="note">
          <T>{readOnly}</T>.
        </p>
      ) : mayWrite ? null : (
        <p className="notice" role="note">
          You may write and rehearse here. To put it in force, somebody with the role admin has to save it: give them the file.
        </p>
      )}
      {save.error ? <Refusal error={save.error} /> : null}
      {bytes > LONGEST ? <p className="notice">The text has {plural(bytes, "byte")}; at most {LONGEST} are taken.</p> : null}
      <div className="edit">
        <section className="panel edit-text" aria-label="Text">
          <Suspense fallback={<Loading what="the editor" />}>
            <YamlEditor
              label={`Text of ${name}, YAML`}
              begun={begun.text}
              mistakes={mistakes}
              schema={schema}
              readOnly={false}
              onChange={setText}
              onSave={() => canSave && save.mutate()}
              handle={handle}
            />
          </Suspense>
        </section>
        <div className="column">
          <Problems mistakes={mistakes} elsewhere={elsewhere} onGo={(line) => handle.current?.goTo(line)} />
          {check && check.nodes.length > 0 ? (
            <Panel title="Plan">
              <Suspense fallback={<Loading what="the picture" />}>
                <PlanGraph nodes={check.nodes} arrows={check.arrows} onChoose={(line) => handle.current?.goTo(line)} />
              </Suspense>
            </Panel>
          ) : null}
        </div>
      </div>
      {inForce !== undefined || base.hash ? <Difference check={check} before={inForce ?? base.text} after={text} /> : null}
      <Rehearse name={name} text={text} ready={current && check !== undefined && check.nodes.length > 0} />
    </Page>
  );
}

function Verdict({ check, current, error, changed }: { check: PlaybookCheck | undefined; current: boolean; error: unknown; changed: boolean }) {
  const errors = check?.mistakes.filter((m) => !m.warning).length ?? 0;
  const warnings = (check?.mistakes.length ?? 0) - errors;
  const words = error
    ? `Not checked: ${(error as Error).message}`
    : !check || !current
      ? "Checking…"
      : errors > 0
        ? plural(errors, "mistake")
        : `No mistakes${warnings > 0 ? `, ${plural(warnings, "warning")}` : ""}${changed ? "" : "; this is the version in force"}`;
  return (
    <span className={`state tone-${error || errors > 0 ? "bad" : warnings > 0 ? "warn" : "good"}`} role="status">
      {words}
    </span>
  );
}

function Refusal({ error }: { error: Error }) {
  return (
    <div className="notice bad" role="alert">
      <strong>
        <T>{error.message}</T>
      </strong>
      {error instanceof Refused ? (
        <p>
          <T>{error.mend}</T>
        </p>
      ) : null}
    </div>
  );
}

function Problems({ mistakes, elsewhere, onGo }: { mistakes: Mistake[]; elsewhere: (Mistake & { file: string })[]; onGo: (line: number) => void }) {
  if (mistakes.length + elsewhere.length === 0) return null;
  return (
    <Panel title={plural(mistakes.length + elsewhere.length, "problem")}>
      <ul className="problems">
        {mistakes.map((m) => (
          <li key={`${m.line}:${m.column}:${m.message}`} className={m.warning ? "warns" : "errs"}>
            <button type="button" className="btn quiet" onClick={() => onGo(m.line)}>
              line {m.line}
            </button>
            <span>
              {m.warning ? "Warning: " : ""}
              <T>{m.message}</T>
              {m.help ? (
                <span className="mute">
                  {" "}
                  <T>{m.help}</T>
                </span>
              ) : null}
            </span>
          </li>
        ))}
        {elsewhere.map((m) => (
          <li key={`${m.file}:${m.line}:${m.message}`} className="errs">
            <span className="mono">
              {visible(m.file)}:{m.line}
            </span>
            <T>{m.message}</T>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Difference({ check, before, after }: { check: PlaybookCheck | undefined; before: string; after: string }) {
  const later = useDeferredValue(after);
  const silent = check && check.nodes.length > 0 ? "They do the same." : "What it would do otherwise shows when the text can be read.";
  return (
    <Panel title="Against the version in force">
      <Differences words={check?.differences ?? []} before={before} after={later} silent={silent} />
    </Panel>
  );
}
