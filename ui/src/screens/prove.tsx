// A fresh proof that it is the person, for one yes to one question: the password, a new sign-in, or the token again.
import { useQuery } from "@tanstack/react-query";
import { useId } from "react";
import { api, ask } from "../api/client";
import * as q from "../api/queries";
import type { ApprovalDetail } from "../api/types";
import { useAct } from "../lib/act";
import { Failed, T } from "../parts/basics";

type Fresh = NonNullable<ApprovalDetail["fresh"]>;

/** True when a yes takes a proof that has not been given yet. */
export function missing(fresh: Fresh | null | undefined): fresh is Fresh {
  return fresh !== null && fresh !== undefined && !fresh.proved;
}

/** What is typed here goes along with the yes: the proof first, then the answer, and no answer without the proof. */
export async function proveFirst(a: ApprovalDetail, digest: string, typed: string): Promise<void> {
  if (!missing(a.fresh)) return;
  const shown = a.fresh.ways.includes("password") ? { password: typed } : { token: typed };
  await ask(api.POST("/api/v1/approvals/{id}/proof", { params: { path: { id: a.id } }, body: { digest, ...shown } }));
}

/** What to type; or the way to the provider. */
export function Prove({ a, digest, typed, setTyped }: { a: ApprovalDetail; digest: string; typed: string; setTyped: (text: string) => void }) {
  const id = useId();
  const title = useQuery(q.ways()).data?.provider ?? "the provider";
  const go = useAct(
    async () => {
      const { to } = await ask(api.POST("/api/v1/approvals/{id}/proof/provider", { params: { path: { id: a.id } }, body: { digest } }));
      window.location.assign(to);
      return {};
    },
    { quiet: true },
  );
  const fresh = a.fresh;
  if (!fresh) return null;
  const failed = new URLSearchParams(window.location.search).get("failed");
  const why = `This may hurt much: a yes takes a fresh proof that it is you, not older than ${fresh.within}.`;
  if (fresh.proved) {
    return (
      <p className="state tone-info" role="status">
        You have proved that it is you, for this question and one yes.
      </p>
    );
  }
  const [password, token, provider] = (["password", "token", "provider"] as const).map((w) => fresh.ways.includes(w));
  if (!password && !token && !provider) {
    return (
      <p className="state tone-bad" role="status">
        {why} You cannot give one from here: sign in with a password or through the provider.
      </p>
    );
  }
  return (
    <>
      {password || token ? (
        <>
          <label htmlFor={id}>
            {why} {password ? "Your password, again" : "Your token, again"}
          </label>
          <input
            id={id}
            type="password"
            value={typed}
            onChange={(e) => setTyped(e.target.value)}
            autoComplete={password ? "current-password" : "off"}
            spellCheck={false}
          />
        </>
      ) : (
        <p>{why}</p>
      )}
      {provider ? (
        <button type="button" className="btn" disabled={go.isPending} onClick={() => go.mutate(undefined as never)}>
          Prove it with <T>{title}</T>
        </button>
      ) : null}
      {failed ? (
        <p role="alert" className="failed">
          The new sign-in was not taken: it came too late, from another browser or as somebody else, or the provider did not ask anew. Nothing was approved.
        </p>
      ) : null}
      {go.error ? <Failed error={go.error} /> : null}
    </>
  );
}
