// Doing something: one way for all of it, with the answer told and everything concerned asked again.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Refused } from "../api/client";
import { toast } from "../parts/toasts";

/** Wraps a change. What fails is told where it was asked, when `quiet`, and as a toast otherwise. */
export function useAct<A, R extends { message?: string } | object>(
  act: (asked: A) => Promise<R>,
  options: { said?: (r: R) => string; after?: (r: R, asked: A) => void; quiet?: boolean; undo?: (r: R) => (() => void) | undefined } = {},
) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    retry: false,
    networkMode: "always",
    onSuccess: (r, asked) => {
      const said = options.said?.(r) ?? ("message" in r && typeof r.message === "string" ? r.message : "done");
      toast(said, "good", options.undo?.(r));
      void client.invalidateQueries({
        predicate: ({ queryKey: [first] }) => first !== "whoami" && first !== "journal",
      });
      options.after?.(r, asked);
    },
    onError: (e) => {
      if (options.quiet) return;
      toast(e instanceof Refused && e.mend ? `${e.message}. ${e.mend}` : e.message, "bad");
    },
  });
}
