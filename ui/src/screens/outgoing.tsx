// What goes out: devices, look-ups, ways to tell people with their connections, and webhooks of other programs.
import { useQuery } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import * as q from "../api/queries";
import type { ConnectorView, WebhookView } from "../api/types";
import { useAct } from "../lib/act";
import { plural } from "../lib/text";
import { Panel, Show, Simulated, T, Time, Wide } from "../parts/basics";

/** A connection that goes down and a receiver that fails write nothing into the journal: they are asked for. */
const LOOK = 5_000;

const FOR: Record<string, string> = { responder: "changes", enricher: "look-ups" };

function Health({ c }: { c: ConnectorView }) {
  if (c.health === "off") return <span className="state tone-bad">off</span>;
  if (c.health === "failing") {
    const many = c.failing ?? 0;
    return <span className="state tone-bad">failing{many > 0 ? `: ${plural(many, "failure")}` : ""}</span>;
  }
  if (c.unanswered > 0) return <span className="state tone-warn">some answers missing</span>;
  return <span className="state tone-good">ok</span>;
}

export function Connectors() {
  const settings = useQuery({ ...q.settings(), refetchInterval: LOOK });
  return (
    <Panel title="Connectors">
      <Show of={settings} what="the connectors">
        {({ connectors }) =>
          connectors.length === 0 ? (
            <p className="mute pad">None is configured: nothing is looked up, nobody is told, nothing can be changed.</p>
          ) : (
            <Wide label="Connectors">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Name</th>
                    <th scope="col">What for</th>
                    <th scope="col">Type</th>
                    <th scope="col">Health</th>
                    <th scope="col" className="num">
                      To do
                    </th>
                    <th scope="col">Notes</th>
                  </tr>
                </thead>
                <tbody>
                  {connectors.map((c) => (
                    <tr key={`${c.role} ${c.name}`}>
                      <th scope="row">
                        <T>{c.name}</T>
                      </th>
                      <td>{FOR[c.role] ?? "telling people"}</td>
                      <td>{c.kind}</td>
                      <td>
                        <Health c={c} />
                      </td>
                      <td className="num">{c.waiting ?? 0}</td>
                      <td className="grow-cell">
                        <Notes c={c} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Wide>
          )
        }
      </Show>
    </Panel>
  );
}

function Notes({ c }: { c: ConnectorView }) {
  const off = "It is in the configuration but not at work: the warnings in Settings say why.";
  const missing = `${plural(c.unanswered, "look-up")} of open incidents without an answer`;
  return (
    <>
      {c.link ? (
        <p>
          <T>{c.link}</T>
        </p>
      ) : null}
      {c.trouble ? (
        <p>
          <T>{c.trouble}</T>
        </p>
      ) : null}
      {c.health === "off" ? <p>{off}</p> : null}
      {c.simulated ? <Simulated /> : null}
      {c.unanswered > 0 ? missing : null}
    </>
  );
}

/** Receivers of events. Only who may name them may see them: their addresses can hold a secret. */
export function Webhooks() {
  const may = useQuery(q.whoami()).data?.may?.includes("govern") ?? false;
  return may ? <Receivers /> : null;
}

function Receivers() {
  const asked = useQuery({ ...q.webhooks(), refetchInterval: LOOK });
  return (
    <Panel title="Webhooks">
      <Show of={asked} what="the webhooks">
        {({ webhooks }) =>
          webhooks.length === 0 ? (
            <p className="mute pad">
              No other program is told what happens. Subscribe one with <code>stanch webhook add</code>.
            </p>
          ) : (
            <Wide label="Webhooks">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Name</th>
                    <th scope="col">Health</th>
                    <th scope="col" className="num">
                      Delivered
                    </th>
                    <th scope="col">Notes</th>
                    <th scope="col">Do</th>
                  </tr>
                </thead>
                <tbody>
                  {webhooks.map((h) => (
                    <Receiver key={h.id} h={h} />
                  ))}
                </tbody>
              </table>
            </Wide>
          )
        }
      </Show>
    </Panel>
  );
}

/** Where it is sent to, without what may be secret in the path. */
function place(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "";
}

function Receiver({ h }: { h: WebhookView }) {
  const on = useAct((id: string) => ask(api.POST("/api/v1/webhooks/{id}/enable", { params: { path: { id } } })), {
    said: () => `${h.id} is tried again; what waits is delivered`,
  });
  return (
    <tr>
      <th scope="row">
        {h.id} <span className="mute"><T>{place(h.url)}</T></span>
      </th>
      <td>
        {h.state === "off" ? (
          <span className="state tone-bad">off</span>
        ) : h.state === "failing" ? (
          <span className="state tone-bad">failing: {plural(h.failures, "failure")}</span>
        ) : (
          <span className="state tone-good">ok</span>
        )}
      </td>
      <td className="num">{h.delivered.toLocaleString("en")}</td>
      <td className="grow-cell">
        <T>{h.last_failure}</T>
        {h.state === "off" ? " Nothing is sent there until it is switched on again; what happens meanwhile waits." : null}
        {h.next_try ? (
          <>
            {" Next try: "}
            <Time at={h.next_try} />
          </>
        ) : null}
      </td>
      <td className="nowrap">
        {h.state === "off" ? (
          <button type="button" className="btn quiet" disabled={on.isPending} onClick={() => on.mutate(h.id)}>
            Switch on again
          </button>
        ) : (
          "—"
        )}
      </td>
    </tr>
  );
}
