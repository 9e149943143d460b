// A link to set a password. Its secret stands behind the `#`, which browsers send to nobody.
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api, ask } from "../api/client";
import { words } from "./signin";

/** Takes the secret out of the address, so that neither history nor a screenshot keeps it. */
export function secretOfAddress(): string {
  const secret = location.hash.slice(1);
  if (secret) history.replaceState(history.state, "", location.pathname);
  return secret;
}

export function Welcome() {
  const navigate = useNavigate();
  const client = useQueryClient();
  const [token] = useState(secretOfAddress);
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);

  async function submit(e: FormEvent<HTMLFormElement>): Promise<void> {
    e.preventDefault();
    const form = new FormData(e.currentTarget);
    const password = String(form.get("password") ?? "");
    if (password !== String(form.get("again") ?? "")) return setError("The two are not the same.");
    setBusy(true);
    setError(undefined);
    try {
      await ask(api.POST("/api/v1/session/welcome", { body: { token, password } }));
      client.clear();
      await navigate({ to: "/queue", replace: true });
    } catch (e) {
      setError(words(e));
      setBusy(false);
    }
  }

  if (token === "") {
    return (
      <main className="alone">
        <div className="signin">
          <h1>This link is not whole</h1>
          <p>Open it as it was sent to you, with everything behind the #. It can be used once.</p>
          <a href="/signin">To the sign-in</a>
        </div>
      </main>
    );
  }
  return (
    <main className="alone">
      <form className="signin" onSubmit={(e) => void submit(e)}>
        <h1>Welcome to Stanch</h1>
        <Passwords />
        {error ? (
          <p className="failed" role="alert">
            {error}
          </p>
        ) : null}
        <button type="submit" className="btn primary" disabled={busy}>
          {busy ? "Setting it…" : "Set the password and come in"}
        </button>
      </form>
    </main>
  );
}

/** A new password, twice. */
export function Passwords() {
  return (
    <>
      <label htmlFor="password">A password for you</label>
      <input id="password" name="password" type="password" required minLength={12} autoComplete="new-password" aria-describedby="password-help" />
      <p id="password-help" className="mute">
        12 characters or more; several words are good. Not your name.
      </p>
      <label htmlFor="again">The same again</label>
      <input id="again" name="again" type="password" required autoComplete="new-password" />
    </>
  );
}
