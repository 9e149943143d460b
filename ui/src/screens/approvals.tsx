// Questions to people: what waits, what was decided, what is in force.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Outlet, useNavigate } from "@tanstack/react-router";
import * as q from "../api/queries";
import { isName, plural } from "../lib/text";
import { Empty, Name, Page, Panel, Show, State, T, Time, Wide } from "../parts/basics";
import { ApprovalCard, ApprovalDialog } from "./approval-card";
import { Announced, Block } from "./incident-actions";

const route = getRouteApi("/shell/approvals/$id");

export function ApprovalRoute() {
  const { id } = route.useParams();
  const navigate = useNavigate();
  const close = () => void navigate({ to: "/approvals" });
  if (!isName(id)) return <Empty title="There is no such question" />;
  return <ApprovalDialog key={id} id={id} onClose={close} />;
}

export function Approvals() {
  const all = useQuery(q.approvals());
  const live = useQuery(q.blocks());
  return (
    <Page title="Approvals">
      <Show of={all} what="the questions">
        {({ approvals, pending }) => {
          const waiting = approvals.filter((a) => a.state === "pending");
          const decided = approvals.filter((a) => a.state !== "pending");
          return (
            <>
              <Panel title={`Waiting for a yes or no (${pending})`}>
                {waiting.length === 0 ? <p className="mute pad">Nothing waits for you. Silence counts as a no, always.</p> : null}
                {waiting.map((a) => (
                  <ApprovalCard key={a.id} a={a} />
                ))}
              </Panel>
              <Panel title="In force now">
                <Show of={live} what="what is in force">
                  {({ blocks, announced = [] }) =>
                    blocks.length + announced.length === 0 ? (
                      <p className="mute pad">No change of ours is in force anywhere.</p>
                    ) : (
                      <>
                        {announced.map((c) => (
                          <Announced key={c.id} c={c} />
                        ))}
                        {blocks.map((b) => (
                          <Block key={b.id} b={b} />
                        ))}
                      </>
                    )
                  }
                </Show>
              </Panel>
              <Panel title={`Decided (${decided.length})`}>
                {decided.length === 0 ? (
                  <p className="mute pad">Nothing has been decided yet.</p>
                ) : (
                  <Wide label="Decided questions">
                    <table>
                      <thead>
                        <tr>
                          <th scope="col">Question</th>
                          <th scope="col">What</th>
                          <th scope="col">Incident</th>
                          <th scope="col">Answer</th>
                          <th scope="col">By</th>
                          <th scope="col">When</th>
                          <th scope="col">Reason</th>
                        </tr>
                      </thead>
                      <tbody>
                        {decided.map((a) => (
                          <tr key={a.id}>
                            <td>
                              <Name id={a.id} />
                            </td>
                            <td>
                              <T>{a.action}</T>
                            </td>
                            <td>
                              <Name id={a.incident} />
                            </td>
                            <td>
                              <State word={a.state} />
                            </td>
                            <td>
                              <T>{a.settled?.by}</T>
                            </td>
                            <td className="nowrap">{a.settled ? <Time at={a.settled.at} /> : <Time at={a.expires_at} />}</td>
                            <td className="grow-cell">
                              <T>{a.settled?.reason}</T>
                            </td>
                          </tr>
                        ))}
                      </tbody>
                    </table>
                  </Wide>
                )}
                <p className="hidden">{plural(decided.length, "question")} decided</p>
              </Panel>
            </>
          );
        }}
      </Show>
      <Outlet />
    </Page>
  );
}
