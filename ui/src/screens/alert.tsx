// One alert: as normalised, as received, why it was judged so, and what is known about it.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { bytes } from "../api/client";
import * as q from "../api/queries";
import type { AlertDetail } from "../api/types";
import { isName } from "../lib/text";
import { visible } from "../lib/text";
import { Empty, Severity, Show, T, Time, Wide } from "../parts/basics";
import { Dialog } from "../parts/dialog";

/** Bytes of a record that a page shows. */
const MOST = 64 * 1024;
const TABS = ["Normalised", "As received", "Why", "Known"] as const;

export function AlertDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const known = isName(id) && id.startsWith("A-");
  return (
    <Dialog title={known ? `Alert ${id}` : "Alert"} onClose={onClose} wide>
      {known ? (
        <Alert id={id} />
      ) : (
        <Empty title="There is no such alert">
          <p>Names of alerts look like A-12.</p>
        </Empty>
      )}
    </Dialog>
  );
}

function Alert({ id }: { id: string }) {
  const asked = useQuery(q.alert(id));
  const [tab, setTab] = useState<(typeof TABS)[number]>("Normalised");
  return (
    <Show of={asked} what={id}>
      {(a) => (
        <>
          <p className="line">
            <Severity word={a.severity} /> <strong><T>{a.title}</T></strong>
          </p>
          <p className="mute">
            <T>{a.place}</T> · {a.count} records · score {a.score.toFixed(2)} · <Time at={a.first} short={false} />
          </p>
          <div className="views" role="group" aria-label="Show">
            {TABS.map((t) => (
              <button key={t} type="button" className="chip" aria-pressed={tab === t} onClick={() => setTab(t)}>
                {t}
              </button>
            ))}
          </div>
          {tab === "Normalised" ? <Normalised a={a} /> : null}
          {tab === "As received" ? <Raw id={id} size={a.raw_bytes} /> : null}
          {tab === "Why" ? <Lines all={a.reasons} none="No reason was written down." /> : null}
          {tab === "Known" ? (
            <Lines
              all={[
                ...a.facts.map((f) => `${f.provider} about ${f.about}: ${JSON.stringify(f.meaning)}`),
                ...a.missing.map((m) => `no answer: ${m}`),
              ]}
              none="Nothing is known about the values in it."
            />
          ) : null}
        </>
      )}
    </Show>
  );
}

function Lines({ all, none }: { all: string[]; none: string }) {
  if (all.length === 0) return <p className="mute">{none}</p>;
  return (
    <ul className="plain">
      {all.map((l, n) => (
        <li key={`${n} ${l}`}>
          <T>{l}</T>
        </li>
      ))}
    </ul>
  );
}

/** A value of the normalised form as text. */
function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function Normalised({ a }: { a: AlertDetail }) {
  const rows = Object.entries(a.normalised).filter(([k, v]) => k !== "unmapped" && v !== null && v !== "" && !(Array.isArray(v) && v.length === 0));
  const more = Object.entries(a.normalised.unmapped ?? {});
  return (
    <Wide label="Fields of the alert">
      <table className="fields">
        <tbody>
          {[...rows, ...more].map(([k, v]) => (
            <tr key={k}>
              <th scope="row" className="mono">
                {visible(k)}
              </th>
              <td className="mono">
                <T>{shown(v)}</T>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

function Raw({ id, size }: { id: string; size: number }) {
  const asked = useQuery({ queryKey: ["alert", id, "raw"], queryFn: () => bytes(`/api/v1/alerts/${id}/raw`, MOST) });
  return (
    <Show of={asked} what="its bytes">
      {({ text, cut }) => (
        <>
          <Wide label="The record as received">
            <pre className="code">{visible(text)}</pre>
          </Wide>
          <p className="mute">
            {size.toLocaleString("en")} bytes{cut ? `, the first ${MOST.toLocaleString("en")} shown` : ""}.{" "}
            <a href={`/api/v1/alerts/${id}/raw`} download={`${id}.raw`}>
              Download
            </a>
          </p>
        </>
      )}
    </Show>
  );
}
