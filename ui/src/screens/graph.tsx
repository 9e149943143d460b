// Who stands in an incident with whom: cards one can read, or every pair as a table.
import { useQuery } from "@tanstack/react-query";
import { Background, Controls, type Edge, Handle, type Node, type NodeProps, Position, ReactFlow } from "@xyflow/react";
import { useMemo, useRef } from "react";
import "@xyflow/react/dist/style.css";
import * as q from "../api/queries";
import type { GraphCard, GraphView } from "../api/types";
import { column, place } from "../lib/place";
import { plural, visible } from "../lib/text";
import { Severity, Show, T, Time, Wide } from "../parts/basics";

const CARD = { width: 190, height: 52 };
type CardNode = Node<{ card: GraphCard; chosen: boolean }, "card">;

function Card({ data: { card, chosen } }: NodeProps<CardNode>) {
  const tone = card.peer ? "peer" : card.ours ? "ours" : card.kind === "group" ? "group" : "";
  return (
    <div className={`g-card ${tone}${chosen ? " chosen" : ""}`}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <strong title={visible(card.label)}>
        <T>{card.kind === "group" ? card.label : card.id.replace(/^(host|user):/, "")}</T>
      </strong>
      <span className="mute">
        {card.acted}→ ←{card.suffered}
        {card.peer ? " · the other side" : card.label !== card.id && card.kind !== "group" ? <> · <T>{card.label.replace(` (${card.id})`, "")}</T></> : ""}
        {card.criticality ? `, ${card.criticality}` : ""}
      </span>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
}

const types = { card: Card };

/** Where there are many links, those of the chosen one stand out, or of the other side. */
function dimmed(view: GraphView, link: { from: string; to: string }, entity: string | undefined): boolean {
  const about = entity ?? (view.links.length > LABELLED ? view.cards.find((c) => c.peer)?.id : undefined);
  return about !== undefined && link.from !== about && link.to !== about;
}

/** Links that can carry their numbers without hiding each other. */
const LABELLED = 14;

export function Graph({
  id,
  table,
  entity,
  onEntity,
}: {
  id: string;
  table: boolean;
  entity: string | undefined;
  onEntity: (entity: string | undefined) => void;
}) {
  const asked = useQuery(q.graph(id));
  return (
    <Show of={asked} what="the graph">
      {(view) => (
        <>
          {table ? <Pairs view={view} onEntity={onEntity} /> : <Picture key={id} view={view} entity={entity} onEntity={onEntity} />}
          <Chosen view={view} entity={entity} onEntity={onEntity} />
        </>
      )}
    </Show>
  );
}

function Picture({ view, entity, onEntity }: { view: GraphView; entity: string | undefined; onEntity: (e: string | undefined) => void }) {
  const kept = useRef(new Map<string, { x: number; y: number }>());
  const nodes = useMemo<CardNode[]>(() => {
    place(view, kept.current);
    return view.cards.map((card) => ({
      id: card.id,
      type: "card",
      position: kept.current.get(card.id) ?? { x: 0, y: 0 },
      data: { card, chosen: card.id === entity },
      ...CARD,
      ariaLabel: `${visible(card.label)}, ${card.kind}, acted in ${card.acted} alerts, acted upon in ${card.suffered}`,
    }));
  }, [view, entity]);
  const edges = useMemo<Edge[]>(
    () =>
      view.links.map((l) => ({
        id: `${l.from}→${l.to}`,
        source: l.from,
        target: l.to,
        ...(view.links.length <= LABELLED || l.from === entity || l.to === entity ? { label: String(l.alerts) } : {}),
        className: `g-link sev-${l.severity.toLowerCase()}${dimmed(view, l, entity) ? " dim" : ""}`,
        focusable: false,
      })),
    [view, entity],
  );
  if (view.cards.length === 0) return <p className="mute pad">Nobody is named in this incident.</p>;
  return (
    <div className="graph">
      <p className="graph-heads" aria-hidden="true">
        {["acted", "both", "was acted upon"]
          .filter((_, n) => view.cards.some((c) => column(c) === n))
          .map((head) => (
            <span key={head}>{head}</span>
          ))}
      </p>
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={types}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        minZoom={0.6}
        maxZoom={1.5}
        fitView
        fitViewOptions={{ minZoom: 0.6, maxZoom: 1, padding: 0.08 }}
        zoomOnScroll={false}
        preventScrolling={false}
        proOptions={{ hideAttribution: true }}
        aria-label="Who stands in this incident with whom; the table says the same"
        onNodeClick={(_, n) => onEntity(n.id === entity || n.id.startsWith("group:") ? undefined : n.id)}
        onSelectionChange={({ nodes: [n] }) => {
          if (n && n.id !== entity && !n.id.startsWith("group:")) onEntity(n.id);
        }}
      >
        <Background gap={24} />
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

function Pairs({ view, onEntity }: { view: GraphView; onEntity: (e: string) => void }) {
  return (
    <>
      <Wide label="Who did something to whom, as a table">
        <table>
          <thead>
            <tr>
              <th scope="col">Who acted</th>
              <th scope="col">On whom</th>
              <th scope="col" className="num">
                Alerts
              </th>
              <th scope="col">Severity</th>
              <th scope="col">Stages</th>
              <th scope="col">First</th>
              <th scope="col">Last</th>
            </tr>
          </thead>
          <tbody>
            {view.pairs.map((p) => (
              <tr key={`${p.from} ${p.to}`}>
                {[p.from, p.to].map((e, n) => (
                  <td key={n === 0 ? "from" : "to"}>
                    <button type="button" className="linklike mono" onClick={() => onEntity(e)}>
                      {visible(e)}
                    </button>
                  </td>
                ))}
                <td className="num">{p.alerts}</td>
                <td>
                  <Severity word={p.severity} />
                </td>
                <td>{p.stages.join(", ")}</td>
                <td className="nowrap">
                  <Time at={p.first} />
                </td>
                <td className="nowrap">
                  <Time at={p.last} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
      {view.pairs_total > view.pairs.length ? (
        <p className="mute pad">
          The busiest {view.pairs.length} of {view.pairs_total} pairs.
        </p>
      ) : null}
    </>
  );
}

function Chosen({ view, entity, onEntity }: { view: GraphView; entity: string | undefined; onEntity: (e: string | undefined) => void }) {
  if (!entity) {
    return (
      <p className="mute pad">
        {plural(view.entities_total, "machine or account", "machines and accounts")}, {plural(view.pairs_total, "pair")}
        {view.cards.some((c) => c.kind === "group") ? "; those with the same part share a card" : ""}. Choose one to see only what
        speaks of it.
      </p>
    );
  }
  const card = view.cards.find((c) => c.id === entity);
  return (
    <div className="pad chosen-entity">
      <div className="line">
        <strong className="mono">
          <T>{card?.label ?? entity}</T>
        </strong>
        <button type="button" className="btn quiet" onClick={() => onEntity(undefined)}>
          Show all
        </button>
      </div>
      <ul className="plain">
        {(card?.known_as ?? []).map((k) => (
          <li key={k}>
            <T>{k}</T>
          </li>
        ))}
      </ul>
      {card && card.known_as.length === 0 ? <p className="mute">Nothing more is known about it.</p> : null}
    </div>
  );
}
