// Settings: who may come in, and tokens for programs. What is secret is shown once.
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, ask } from "../api/client";
import * as q from "../api/queries";
import { useAct } from "../lib/act";
import { Panel, Show, T, Time, Wide } from "../parts/basics";
import { Dialog } from "../parts/dialog";

const ROLES = ["viewer", "analyst", "author", "approver", "operator", "admin"];

/** Roles that may do no more than this one. */
const within = (role: string) => (role === "admin" ? ROLES : ["viewer", "analyst", role].filter((r, n, all) => all.indexOf(r) === n && ROLES.indexOf(r) <= ROLES.indexOf(role)));

/** Something that is never shown again. */
interface Once {
  title: string;
  text: string;
  why: string;
}

function ShownOnce({ once, onClose }: { once: Once; onClose: () => void }) {
  return (
    <Dialog title={once.title} onClose={onClose}>
      <p>
        <code className="once">{once.text}</code>
      </p>
      <p className="mute">{once.why}</p>
      <footer>
        <button type="button" className="btn primary" onClick={() => void navigator.clipboard?.writeText(once.text)}>
          Copy
        </button>
        <button type="button" className="btn" onClick={onClose}>
          I have it
        </button>
      </footer>
    </Dialog>
  );
}

export function Accounts() {
  const asked = useQuery(q.people());
  const me = useQuery(q.whoami()).data;
  const [once, setOnce] = useState<Once>();
  const [adding, setAdding] = useState(false);
  const invite = useAct((person: string) => ask(api.POST("/api/v1/people/{person}/invite", { params: { path: { person } } })), {
    after: (v) =>
      setOnce({
        title: `A link for ${v.name}`,
        text: location.origin + v.path,
        why: "It sets a password, once, within 24 hours. Whoever has it can: send it only to them.",
      }),
    said: () => "the link was made",
  });
  const change = useAct((of: { person: string; disabled: boolean }) =>
    ask(api.POST("/api/v1/people/{person}/change", { params: { path: { person: of.person } }, body: { disabled: of.disabled } })),
  );
  const out = useAct((person: string) => ask(api.POST("/api/v1/people/{person}/sign-out", { params: { path: { person } } })));
  return (
    <Panel
      title="Who may come in"
      side={
        <button type="button" className="btn" onClick={() => setAdding(true)}>
          Add somebody…
        </button>
      }
    >
      <Show of={asked} what="who may come in">
        {({ people }) => (
          <Wide label="Who may come in">
            <table>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Role</th>
                  <th scope="col">Proves it by</th>
                  <th scope="col" className="num">
                    Sessions
                  </th>
                  <th scope="col">Do</th>
                </tr>
              </thead>
              <tbody>
                {people.map((p) => (
                  <tr key={p.name}>
                    <td>
                      <T>{p.name}</T>
                      {p.configured ? null : <span className="mute"> account</span>}
                    </td>
                    <td>{p.role}</td>
                    <td>
                      {p.disabled ? (
                        <span className="state tone-warn">account shut</span>
                      ) : p.proofs.length > 0 ? (
                        p.proofs.join(", ")
                      ) : p.invited_until ? (
                        "a link, not used yet"
                      ) : (
                        <span className="state tone-warn">nothing</span>
                      )}
                    </td>
                    <td className="num">{p.sessions}</td>
                    <td className="line">
                      <button type="button" className="btn" aria-label={`Password link for ${p.name}`} onClick={() => invite.mutate(p.name)}>
                        Link
                      </button>
                      <button
                        type="button"
                        className="btn"
                        aria-label={`Sign ${p.name} out everywhere`}
                        disabled={p.sessions === 0}
                        onClick={() => out.mutate(p.name)}
                      >
                        Sign out
                      </button>
                      {p.configured || p.name === me?.name ? null : (
                        <button
                          type="button"
                          className={p.disabled ? "btn" : "btn danger"}
                          aria-label={`${p.disabled ? "Open" : "Shut"} the account of ${p.name}`}
                          onClick={() => change.mutate({ person: p.name, disabled: !p.disabled })}
                        >
                          {p.disabled ? "Open" : "Shut"}
                        </button>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Wide>
        )}
      </Show>
      {adding ? (
        <AddPerson
          onClose={() => setAdding(false)}
          onMade={(name) => {
            setAdding(false);
            invite.mutate(name);
          }}
        />
      ) : null}
      {once ? <ShownOnce once={once} onClose={() => setOnce(undefined)} /> : null}
    </Panel>
  );
}

function AddPerson({ onClose, onMade }: { onClose: () => void; onMade: (name: string) => void }) {
  const add = useAct((body: { name: string; role: string; teams: string[] }) => ask(api.POST("/api/v1/people", { body })), {
    after: (_, body) => onMade(body.name),
  });
  const teams = useQuery(q.settings()).data?.teams ?? [];
  function submit(e: FormEvent<HTMLFormElement>): void {
    e.preventDefault();
    const form = new FormData(e.currentTarget);
    add.mutate({ name: String(form.get("name")).trim(), role: String(form.get("role")), teams: form.getAll("team").map(String) });
  }
  return (
    <Dialog title="Add somebody" onClose={onClose}>
      <form className="form" onSubmit={submit}>
        <label htmlFor="new-name">Name, as the journal will show it</label>
        <input id="new-name" name="name" required autoFocus autoComplete="off" spellCheck={false} pattern="[a-z0-9][a-z0-9_\-]*" maxLength={63} />
        <label htmlFor="new-role">May do</label>
        <select id="new-role" name="role" defaultValue="analyst">
          {ROLES.map((r) => (
            <option key={r}>{r}</option>
          ))}
        </select>
        {teams.map((t) => (
          <label className="check" key={t.name}>
            <input type="checkbox" name="team" value={t.name} /> <T>{t.name}</T>
          </label>
        ))}
        <footer>
          <button type="submit" className="btn primary" disabled={add.isPending}>
            Add, and make a link
          </button>
          <button type="button" className="btn" onClick={onClose}>
            Cancel
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

export function Tokens() {
  const asked = useQuery(q.tokens());
  const me = useQuery(q.whoami()).data;
  const [once, setOnce] = useState<Once>();
  const make = useAct((body: { name: string; role: string; lasts: string }) => ask(api.POST("/api/v1/tokens", { body })), {
    after: (v) =>
      setOnce({
        title: `The secret of ${v.id}`,
        text: v.token,
        why: "Send it as “Authorization: Bearer”. It is not kept here and never shown again.",
      }),
    said: () => "the token was made",
  });
  const revoke = useAct((token: string) => ask(api.POST("/api/v1/tokens/{token}/revoke", { params: { path: { token } } })));
  function submit(e: FormEvent<HTMLFormElement>): void {
    e.preventDefault();
    const form = new FormData(e.currentTarget);
    make.mutate({ name: String(form.get("name")), role: String(form.get("role")), lasts: String(form.get("lasts")) });
    e.currentTarget.reset();
  }
  return (
    <Panel title="Tokens for programs">
      <Show of={asked} what="the tokens">
        {({ tokens }) =>
          tokens.length === 0 ? (
            <p className="pad">No token. Programs and scripts can have one each, that ends by itself.</p>
          ) : (
            <Wide label="Tokens for programs">
              <table>
                <thead>
                  <tr>
                    <th scope="col">For</th>
                    <th scope="col">Of</th>
                    <th scope="col">May</th>
                    <th scope="col">Until</th>
                    <th scope="col">Last used</th>
                    <th scope="col">Do</th>
                  </tr>
                </thead>
                <tbody>
                  {tokens.map((t) => (
                    <tr key={t.id}>
                      <td>
                        <T>{t.name}</T> <span className="mono mute">{t.id}</span>
                      </td>
                      <td>
                        <T>{t.person}</T>
                      </td>
                      <td>{t.role}</td>
                      <td className="nowrap">
                        <Time at={t.until} />
                      </td>
                      <td className="nowrap">{t.used ? <Time at={t.used} /> : "never"}</td>
                      <td>
                        <button type="button" className="btn danger" aria-label={`Take back ${t.id}`} onClick={() => revoke.mutate(t.id)}>
                          Take back
                        </button>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Wide>
          )
        }
      </Show>
      <form className="pad form" onSubmit={submit}>
        <label htmlFor="token-name">What the new one is for</label>
        <input id="token-name" name="name" required maxLength={80} autoComplete="off" />
        <label htmlFor="token-role">The most it may do</label>
        <select id="token-role" name="role">
          {within(me?.role ?? "viewer").map((r) => (
            <option key={r}>{r}</option>
          ))}
        </select>
        <label htmlFor="token-lasts">For how long</label>
        <select id="token-lasts" name="lasts" defaultValue="90d">
          <option value="1d">a day</option>
          <option value="30d">30 days</option>
          <option value="90d">90 days</option>
          <option value="365d">a year</option>
        </select>
        <button type="submit" className="btn" disabled={make.isPending}>
          Make a token
        </button>
      </form>
      {once ? <ShownOnce once={once} onClose={() => setOnce(undefined)} /> : null}
    </Panel>
  );
}
