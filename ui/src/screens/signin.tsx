// Signing in: a password or a token shown once becomes a session that no script can read.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api, ask, Refused } from "../api/client";
import { ways } from "../api/queries";
import { T } from "../parts/basics";

const route = getRouteApi("/signin");

/** Only a path of our own: an address from outside must not lead anywhere else. */
export function inside(next: string | undefined): string {
  return next?.startsWith("/") && !next.startsWith("//") && !next.includes("\\") ? next : "/queue";
}

/** Why nobody came in through the provider. */
const FAILED: Record<string, string> = {
  provider: "The provider does not answer as it should. An administrator finds the cause in the log.",
  stale: "That took too long, or came from another browser. Please begin again.",
  said: "The provider did not let you in, or what it said could not be believed. The log says why.",
  groups: "None of your groups may come in here. Ask an administrator.",
  name: "Your name is taken here by somebody else. An administrator can link you.",
};

/** What was refused, in words for the person at the door. */
export function words(e: unknown): string {
  if (e instanceof Refused && e.status === 400) return `${e.message}: ${e.mend}`;
  return e instanceof Error ? e.message : "it did not work";
}

export function SignIn() {
  const { next, failed } = route.useSearch();
  const navigate = useNavigate();
  const client = useQueryClient();
  const known = useQuery(ways());
  const [chosen, setWay] = useState<"password" | "token">();
  const way = chosen ?? (known.data?.password ? "password" : "token");
  const [error, setError] = useState<string | undefined>(failed === undefined ? undefined : FAILED[failed]);
  const [busy, setBusy] = useState(false);

  async function submit(e: FormEvent<HTMLFormElement>): Promise<void> {
    e.preventDefault();
    const form = e.currentTarget;
    const said = (name: string) => String(new FormData(form).get(name) ?? "");
    setBusy(true);
    setError(undefined);
    try {
      if (way === "password") {
        await ask(api.POST("/api/v1/session/password", { body: { name: said("name").trim(), password: said("password") } }));
      } else {
        await ask(api.POST("/api/v1/session", { headers: { Authorization: `Bearer ${said("token").trim()}` } }));
      }
      form.reset();
      client.clear();
      await navigate({ href: inside(next), replace: true });
    } catch (e) {
      const unknown = way === "token" && e instanceof Refused && e.status === 401;
      setError(unknown ? "This token is not known. Tokens lie in the folder secrets/ of the configuration." : words(e));
      setBusy(false);
    }
  }

  // Not before it is known how people come in here: fields must not change under somebody's hands.
  if (known.isPending) return <main className="alone" />;
  return (
    <main className="alone">
      <form className="signin" onSubmit={(e) => void submit(e)}>
        <h1>Stanch</h1>
        <p className="mute">Alerts in, contained and explained incidents out.</p>
        {known.data?.provider ? (
          <a className="btn primary" href="/api/v1/session/provider">
            Sign in with <T>{known.data.provider}</T>
          </a>
        ) : null}
        {way === "password" ? (
          <>
            <label htmlFor="name">Your name</label>
            <input id="name" name="name" required autoFocus autoComplete="username" autoCapitalize="none" spellCheck={false} />
            <label htmlFor="password">Your password</label>
            <input id="password" name="password" type="password" required autoComplete="current-password" />
          </>
        ) : (
          <>
            <label htmlFor="token">Your token</label>
            <input id="token" name="token" type="password" required autoFocus autoComplete="off" spellCheck={false} aria-describedby="token-help" />
            <p id="token-help" className="mute">
              The one that <code>policies/people.yaml</code> names for you, for example the content of <code>secrets/admin.token</code>. It is
              not kept in this browser.
            </p>
          </>
        )}
        {error ? (
          <p className="failed" role="alert">
            {error}
          </p>
        ) : null}
        <button type="submit" className="btn primary" disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
        <button
          type="button"
          className="btn quiet"
          onClick={() => {
            setError(undefined);
            setWay(way === "password" ? "token" : "password");
          }}
        >
          {way === "password" ? "Use a token instead" : "Use a password instead"}
        </button>
      </form>
    </main>
  );
}
