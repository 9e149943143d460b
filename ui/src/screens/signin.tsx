// Signing in: a token shown once becomes a session that no script can read.
import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api, ask, Refused } from "../api/client";

const route = getRouteApi("/signin");

export function SignIn() {
  const { next } = route.useSearch();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);

  async function submit(e: FormEvent<HTMLFormElement>): Promise<void> {
    e.preventDefault();
    const form = e.currentTarget;
    const token = String(new FormData(form).get("token") ?? "").trim();
    setBusy(true);
    setError(undefined);
    try {
      await ask(api.POST("/api/v1/session", { headers: { Authorization: `Bearer ${token}` } }));
      form.reset();
      client.clear();
      // Only a path of our own: an address from outside must not lead anywhere else.
      const to = next?.startsWith("/") && !next.startsWith("//") && !next.includes("\\") ? next : "/queue";
      await navigate({ href: to, replace: true });
    } catch (e) {
      const unknown = e instanceof Refused && e.status === 401;
      const words = e instanceof Error ? e.message : "it did not work";
      setError(unknown ? "This token is not known. Tokens lie in the folder secrets/ of the configuration." : words);
      setBusy(false);
    }
  }

  return (
    <main className="alone">
      <form className="signin" onSubmit={(e) => void submit(e)}>
        <h1>Stanch</h1>
        <p className="mute">Alerts in, contained and explained incidents out.</p>
        <label htmlFor="token">Your token</label>
        <input
          id="token"
          name="token"
          type="password"
          required
          autoFocus
          autoComplete="current-password"
          spellCheck={false}
          aria-describedby="token-help"
        />
        <p id="token-help" className="mute">
          The one that <code>policies/people.yaml</code> names for you, for example the content of{" "}
          <code>secrets/admin.token</code>. It is not kept in this browser.
        </p>
        {error ? (
          <p className="failed" role="alert">
            {error}
          </p>
        ) : null}
        <button type="submit" className="btn primary" disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
      </form>
    </main>
  );
}
