// Versions of a playbook: which were in force before, which runs are pinned to, and what is otherwise now.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Fragment, useId } from "react";
import * as q from "../api/queries";
import type { PlaybookVersion } from "../api/types";
import { plural } from "../lib/text";
import { Name, Panel, Show, Time } from "../parts/basics";
import { Differences } from "../parts/difference";

const one = getRouteApi("/shell/playbooks/$name");

function said(v: PlaybookVersion): string {
  return `${v.hash.slice(0, 12)}, ${v.run_count > 0 ? plural(v.run_count, "run") : "no run"}`;
}

export function Versions({ name }: { name: string }) {
  const asked = useQuery(q.playbookVersions(name));
  const { against } = one.useSearch();
  const go = one.useNavigate();
  const id = useId();
  return (
    <Panel title="Against an earlier version">
      <Show of={asked} what="its versions">
        {({ versions }) => {
          const now = versions.find((v) => v.in_force);
          const earlier = versions.filter((v) => !v.in_force);
          const chosen = earlier.find((v) => v.hash === against) ?? earlier[0];
          if (!now || !chosen) return <p className="pad mute">No other version is known: every run was by the one in force.</p>;
          return (
            <>
              <div className="pad">
                {against === now.hash ? <p className="mute">{now.hash.slice(0, 12)} is the version in force. This is the one before it.</p> : null}
                <p className="line">
                  <label htmlFor={id}>Version</label>
                  <select id={id} value={chosen.hash} onChange={(e) => void go({ search: { against: e.target.value }, replace: true })}>
                    {earlier.map((v) => (
                      <option key={v.hash} value={v.hash}>
                        {said(v)}
                      </option>
                    ))}
                  </select>
                  {chosen.replaced ? (
                    <span className="mute">
                      replaced <Time at={chosen.replaced} />
                    </span>
                  ) : null}
                </p>
                {chosen.runs.length > 0 ? (
                  <p className="mute">
                    pinned to it:{" "}
                    {chosen.runs.map((r, n) => (
                      <Fragment key={r}>
                        {n > 0 ? ", " : ""}
                        <Name id={r} />
                      </Fragment>
                    ))}
                    {chosen.run_count > chosen.runs.length ? ` and ${chosen.run_count - chosen.runs.length} more` : "; no other"}
                  </p>
                ) : null}
              </div>
              <Differences words={chosen.differences} before={chosen.source} after={now.source} silent="They do the same." />
            </>
          );
        }}
      </Show>
    </Panel>
  );
}
