// Who sends, whether anything was lost, what could not be read, and what we are connected to.
import { useQuery } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import * as q from "../api/queries";
import type { SourceView, TallyView } from "../api/types";
import { useAct } from "../lib/act";
import { saveText } from "../lib/save";
import { csvField } from "../lib/text";
import { Age, Empty, Page, Panel, Show, T, Time, Wide } from "../parts/basics";
import { Connectors, Webhooks } from "./outgoing";

const PLACES: (keyof TallyView)[] = ["received", "merged", "suppressed", "in_incidents", "open", "closed", "quarantined"];

function Health({ s }: { s: SourceView }) {
  if (!s.enabled) {
    return (
      <span className="state tone-bad">
        off: <T>{s.disabled_because}</T>
      </span>
    );
  }
  if (s.silent) return <span className="state tone-warn">silent for longer than {s.silent_after}</span>;
  if (!s.last_heard) return <span className="state tone-mute">not heard yet</span>;
  return <span className="state tone-good">ok</span>;
}

export function Sources() {
  const sources = useQuery(q.sources());
  const ledger = useQuery(q.ledger());
  return (
    <Page title="Sources & connectors">
      <Panel
        title="Sources"
        side={
          sources.data && sources.data.sources.length > 0 ? (
            <button type="button" className="btn quiet" onClick={() => saveInventory(sources.data.sources)}>
              Inventory as CSV
            </button>
          ) : undefined
        }
      >
        <Show of={sources} what="the sources">
          {({ sources: all }) =>
            all.length === 0 ? (
              <Empty title="No source is configured">
                <p>
                  Add one to the folder <code>sources/</code> of the configuration, then reload.
                </p>
              </Empty>
            ) : (
              <Wide label="Sources">
                <table>
                  <thead>
                    <tr>
                      <th scope="col">Source</th>
                      <th scope="col">Health</th>
                      <th scope="col">Last heard</th>
                      <th scope="col" className="num">
                        Records
                      </th>
                      <th scope="col" className="num">
                        Repeats
                      </th>
                      <th scope="col" className="num">
                        Unreadable
                      </th>
                      <th scope="col">Format</th>
                      <th scope="col">Proves itself by</th>
                      <th scope="col">Site</th>
                    </tr>
                  </thead>
                  <tbody>
                    {all.map((s) => (
                      <tr key={s.name}>
                        <th scope="row">
                          <T>{s.name}</T>
                        </th>
                        <td>
                          <Health s={s} />
                        </td>
                        <td className="nowrap">{s.last_heard ? <><Age at={s.last_heard} /> ago</> : "—"}</td>
                        <td className="num">{s.received.toLocaleString("en")}</td>
                        <td className="num">{s.received > 0 ? `${Math.round((s.merged / s.received) * 100)} %` : "—"}</td>
                        <td className="num">{s.quarantined.toLocaleString("en")}</td>
                        <td>{s.format ?? "—"}</td>
                        <td>
                          {s.credential}
                          {s.authenticated ? "" : ", can be forged"}
                        </td>
                        <td>
                          <T>{s.site}</T>
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
      <Panel
        title="Where every record is"
        side={
          ledger.data ? (
            <span className={`state tone-${ledger.data.balanced ? "good" : "bad"}`}>
              {ledger.data.balanced ? "balances exactly" : "DOES NOT BALANCE: run stanch doctor"}
            </span>
          ) : undefined
        }
      >
        <Show of={ledger} what="the ledger">
          {(l) => (
            <Wide label="Ledger">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Source</th>
                    {PLACES.map((p) => (
                      <th key={p} scope="col" className="num">
                        {p.replace("_", " ")}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {[["all", l as TallyView] as const, ...Object.entries(l.sources)].map(([name, t]) => (
                    <tr key={name} className={name === "all" ? "total" : ""}>
                      <th scope="row">
                        <T>{name}</T>
                      </th>
                      {PLACES.map((p) => (
                        <td key={p} className="num">
                          {t[p].toLocaleString("en")}
                        </td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
            </Wide>
          )}
        </Show>
      </Panel>
      <Quarantine />
      <Connectors />
      <Webhooks />
    </Page>
  );
}

function Quarantine() {
  const asked = useQuery(q.quarantine());
  const admin = useQuery(q.whoami()).data?.may?.includes("operate") ?? false;
  const retry = useAct((id: number) => ask(api.POST("/api/v1/quarantine/{id}/retry", { params: { path: { id } } })));
  return (
    <Panel title={`Could not be read (${asked.data?.waiting ?? 0})`}>
      <Show of={asked} what="quarantine">
        {({ records }) =>
          records.length === 0 ? (
            <p className="mute pad">Every record was understood.</p>
          ) : (
            <Wide label="Records that could not be read">
              <table>
                <thead>
                  <tr>
                    <th scope="col" className="num">
                      No.
                    </th>
                    <th scope="col">Source</th>
                    <th scope="col">Arrived</th>
                    <th scope="col">What is wrong with it</th>
                    <th scope="col">Do</th>
                  </tr>
                </thead>
                <tbody>
                  {records.map((r) => (
                    <tr key={r.id}>
                      <td className="num">{r.id}</td>
                      <td>
                        <T>{r.source}</T>
                      </td>
                      <td className="nowrap">
                        <Time at={r.at} />
                      </td>
                      <td className="grow-cell">
                        <T>{r.reason}</T>
                      </td>
                      <td className="nowrap">
                        <a href={`/api/v1/quarantine/${r.id}/raw`} download={`record-${r.id}.raw`}>
                          Bytes
                        </a>{" "}
                        {admin ? (
                          <button type="button" className="btn quiet" disabled={retry.isPending} onClick={() => retry.mutate(r.id)}>
                            Try again
                          </button>
                        ) : null}
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

/** Every source, as a sheet for whoever keeps the list of log sources. */
function saveInventory(all: SourceView[]): void {
  const head = ["source", "enabled", "format", "credential", "site", "last_heard", "silent_after", "received", "merged", "quarantined"];
  const line = (s: SourceView) =>
    [s.name, String(s.enabled), s.format, s.credential, s.site, s.last_heard, s.silent_after, s.received, s.merged, s.quarantined].map(csvField).join(",");
  saveText("stanch-sources.csv", "text/csv", [head.join(","), ...all.map(line)].join("\r\n"));
}
