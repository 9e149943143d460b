// The story told again by a language model: asked for by a person, labelled, and nothing is done by it.
import { useState } from "react";
import { api, ask } from "../api/client";
import type { components } from "../api/schema";
import { useAct } from "../lib/act";
import { Panel, T } from "../parts/basics";

type AssistedView = components["schemas"]["AssistedView"];

export function Assisted({ id, model }: { id: string; model: string }) {
  const [said, setSaid] = useState<AssistedView>();
  const request = useAct((_: undefined) => ask(api.POST("/api/v1/incidents/{id}/assisted", { params: { path: { id } }, body: {} })), {
    said: () => "the model answered",
    after: setSaid,
  });
  return (
    <Panel title="From a language model">
      <p className="mute">
        {said ? <T>{said.by}</T> : <>The model {model} can tell this story again. The story itself stands without it.</>}
      </p>
      {said?.failed ? (
        <p role="status">
          <T>{said.failed}</T>
        </p>
      ) : null}
      {said ? <Sentences of={said.said} /> : null}
      {said && said.look_at.length > 0 ? <h3>The model suggests looking at</h3> : null}
      {said ? <Sentences of={said.look_at} /> : null}
      {said && said.next.length > 0 ? <h3>The model suggests next</h3> : null}
      {said ? <Sentences of={said.next} /> : null}
      {said && said.left_out !== "" ? <p className="mute">Left out: {said.left_out}.</p> : null}
      <button type="button" disabled={request.isPending} onClick={() => request.mutate(undefined)}>
        {said ? "Ask again" : "Ask the model"}
      </button>
    </Panel>
  );
}

function Sentences({ of }: { of: AssistedView["said"] }) {
  return (
    <ul className="plain">
      {of.map((s) => (
        <li key={s.text}>
          <T>{s.text}</T> <span className="mute">[{s.alerts.join(", ")}]</span>
        </li>
      ))}
    </ul>
  );
}
