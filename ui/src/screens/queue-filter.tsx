// Filters of the queue: CEL, judged by the server, kept for a person under a name, and in the address.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useId, useState } from "react";
import { api, ask, Refused } from "../api/client";
import { filters, type QueueSearch } from "../api/queries";
import { useAct } from "../lib/act";
import { searchOf, textOf } from "../lib/search";
import { visible } from "../lib/text";
import { T, Wide } from "../parts/basics";
import { Dialog } from "../parts/dialog";

/** The row under the bar: the filter as text, what is wrong with it, and the way to keep it. */
export function Where({
  filter,
  error,
  undecided,
  onGive,
}: {
  filter: QueueSearch;
  error: unknown;
  undecided: { count: number; first: string; why: string } | undefined;
  onGive: (where: string | undefined) => void;
}) {
  const [help, setHelp] = useState(false);
  const [keeping, setKeeping] = useState(false);
  const id = useId();
  const wrong = error instanceof Refused && error.status === 400 ? error : undefined;
  return (
    <div className="where">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          onGive(String(new FormData(e.currentTarget).get("where") ?? "").trim() || undefined);
        }}
      >
        <label htmlFor={id}>Filter</label>
        <input
          id={id}
          name="where"
          key={filter.where ?? ""}
          defaultValue={filter.where ?? ""}
          maxLength={4000}
          spellCheck={false}
          autoComplete="off"
          className="mono"
          placeholder='incident.severity >= 4 && incident.owner == ""'
          aria-invalid={wrong !== undefined}
          aria-describedby={`${id}e`}
        />
        <button type="submit" className="btn">
          Apply
        </button>
        <button type="button" className="btn quiet" onClick={() => setHelp(true)}>
          Fields
        </button>
        <button type="button" className="btn quiet" onClick={() => setKeeping(true)}>
          Keep…
        </button>
      </form>
      <p id={`${id}e`} role="status" className={wrong ? "wrong" : "mute"}>
        {wrong ? (
          <>
            <T>{wrong.message}</T>. <T>{wrong.mend}</T>
          </>
        ) : undecided ? (
          <>
            Has no value for {undecided.count} of the incidents; <T>{undecided.first}</T>: <T>{undecided.why}</T>
          </>
        ) : null}
      </p>
      {help ? <Fields onClose={() => setHelp(false)} /> : null}
      {keeping ? <Keep filter={filter} onClose={() => setKeeping(false)} /> : null}
    </div>
  );
}

/** The filters that a person keeps, beside the views that everybody has. */
export function Own({ filter }: { filter: QueueSearch }) {
  const { data } = useQuery(filters());
  const now = textOf(filter);
  return (
    <>
      {(data?.filters ?? []).map((f) => (
        <Link key={f.name} to="/queue" search={searchOf(f.search)} className="chip" aria-current={f.search === now ? "true" : undefined}>
          <T>{f.name}</T>
        </Link>
      ))}
    </>
  );
}

function Keep({ filter, onClose }: { filter: QueueSearch; onClose: () => void }) {
  const { data } = useQuery(filters());
  const [name, setName] = useState("");
  const id = useId();
  const keep = useAct((asked: { name: string; search?: string }) => ask(api.POST("/api/v1/queue/filters", { body: asked })), {
    after: () => onClose(),
  });
  const own = data?.filters ?? [];
  return (
    <Dialog title="Keep this filter" onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (name.trim()) keep.mutate({ name: name.trim(), search: textOf(filter) });
        }}
      >
        <p>
          It keeps the whole address: the filter, the status, the order. Only you see it here; to share it, send the address <kbd>y</kbd>.
        </p>
        <p className="mono">
          <T>{textOf(filter) || "all that are open"}</T>
        </p>
        <label htmlFor={id}>Name{own.some((f) => f.name === name.trim()) ? " (replaces the one you have)" : ""}</label>
        <input id={id} data-first required maxLength={60} value={name} autoComplete="off" onChange={(e) => setName(e.target.value)} />
        <footer>
          <button type="submit" className="btn primary" disabled={keep.isPending || !name.trim()}>
            Keep it
          </button>
        </footer>
      </form>
      {own.length > 0 ? (
        <>
          <h3>Yours</h3>
          <ul className="own-filters">
            {own.map((f) => (
              <li key={f.name}>
                <span>
                  <T>{f.name}</T> <span className="mute mono">{visible(f.search)}</span>
                </span>
                <button type="button" className="btn quiet" disabled={keep.isPending} onClick={() => keep.mutate({ name: f.name })}>
                  Give up {visible(f.name)}
                </button>
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </Dialog>
  );
}

function Fields({ onClose }: { onClose: () => void }) {
  const { data } = useQuery(filters());
  return (
    <Dialog title="What a filter can read" onClose={onClose} wide>
      <p>
        One expression in CEL that is true or false, in the words of playbooks. Join conditions with <code>&amp;&amp;</code> and <code>||</code>, turn one
        round with <code>!</code>.
      </p>
      <pre className="code">{'incident.severity >= 4 && incident.owner == ""\nincident.kind == "c2" && !incident.waiting\nincident.sources.exists(s, s == "suricata") && incident.age_minutes > 30\nip_in(incident.peer, "203.0.113.0/24")'}</pre>
      <Wide label="Fields">
        <table>
          <thead>
            <tr>
              <th scope="col">Field</th>
              <th scope="col">Kind</th>
              <th scope="col">Says</th>
            </tr>
          </thead>
          <tbody>
            {(data?.fields ?? []).map((f) => (
              <tr key={f.name}>
                <td className="mono">incident.{f.name}</td>
                <td>{f.kind}</td>
                <td className="grow-cell">{f.about || (f.words.length > 0 ? f.words.join(", ") : "as in playbooks")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
      <p className="mute">Functions: {(data?.functions ?? []).join(", ")}; also has, all, exists, exists_one, map, filter.</p>
    </Dialog>
  );
}
