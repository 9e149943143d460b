// A plan as a picture: layered from top to bottom by dagre, drawn as SVG. The list beside it says the same.
import { Graph, layout } from "@dagrejs/dagre";
import { useMemo } from "react";
import { human, visible } from "../lib/text";

export interface PlanNode {
  id: string;
  kind: string;
  words: string;
  changes: boolean;
  line: number;
}

export interface PlanArrow {
  from: string;
  to: string;
  label: string;
}

const WIDE = 216;
const TALL = 46;
const DOT = 16;

const cut = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

interface Laid {
  width: number;
  height: number;
  nodes: { node: PlanNode; x: number; y: number }[];
  arrows: { key: string; d: string; label: string; x: number; y: number }[];
}

function lay(nodes: PlanNode[], arrows: PlanArrow[]): Laid {
  const g = new Graph({ multigraph: true });
  g.setGraph({ rankdir: "TB", nodesep: 28, ranksep: 34, marginx: 12, marginy: 12 });
  g.setDefaultEdgeLabel(() => ({}));
  for (const n of nodes) g.setNode(n.id, n.kind ? { width: WIDE, height: TALL } : { width: DOT, height: DOT });
  arrows.forEach((a, n) => {
    g.setEdge(a.from, a.to, { width: Math.min(150, a.label.length * 6.2), height: a.label ? 14 : 0, labelpos: "c" }, String(n));
  });
  layout(g);
  const size = g.graph();
  return {
    width: size.width ?? 0,
    height: size.height ?? 0,
    nodes: nodes.map((node) => ({ node, x: g.node(node.id).x ?? 0, y: g.node(node.id).y ?? 0 })),
    arrows: arrows.map((a, n) => {
      const edge = g.edge(a.from, a.to, String(n));
      const points: { x: number; y: number }[] = edge.points ?? [];
      const [first, ...rest] = points;
      const d = first ? `M${first.x} ${first.y}${rest.map((p) => `L${p.x} ${p.y}`).join("")}` : "";
      return { key: `${a.from}-${a.to}-${n}`, d, label: a.label, x: edge.x ?? 0, y: edge.y ?? 0 };
    }),
  };
}

export default function PlanGraph({ nodes, arrows, onChoose }: { nodes: PlanNode[]; arrows: PlanArrow[]; onChoose: (line: number) => void }) {
  const laid = useMemo(() => lay(nodes, arrows), [nodes, arrows]);
  const steps = nodes.filter((n) => n.kind);
  return (
    <div className="plan">
      <div className="plan-picture" role="group" aria-label="Picture of the plan" tabIndex={0}>
        <svg
          role="img"
          aria-label={`The plan: ${steps.length} steps; the list below names them`}
          viewBox={`0 0 ${laid.width} ${laid.height}`}
          width={laid.width}
          height={laid.height}
        >
          <defs>
            <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
              <path d="M0 0 8 4 0 8z" className="plan-tip" />
            </marker>
          </defs>
          {laid.arrows.map((a) => (
            <g key={a.key}>
              <path d={a.d} className="plan-arrow" markerEnd="url(#tip)" />
              {a.label ? (
                <text x={a.x} y={a.y + 4} className="plan-label" textAnchor="middle">
                  {visible(cut(a.label, 26))}
                </text>
              ) : null}
            </g>
          ))}
          {laid.nodes.map(({ node, x, y }) =>
            node.kind ? (
              // biome-ignore lint/a11y/noStaticElementInteractions: the list below does the same by keyboard
              <g key={node.id} className={`plan-node${node.changes ? " changes" : ""}`} onClick={() => onChoose(node.line)}>
                <rect x={x - WIDE / 2} y={y - TALL / 2} width={WIDE} height={TALL} rx={5} />
                <text x={x - WIDE / 2 + 10} y={y - 5} className="plan-id">
                  {visible(cut(node.id, 26))}
                </text>
                <text x={x - WIDE / 2 + 10} y={y + 13} className="plan-words">
                  {visible(cut(node.words, 34))}
                </text>
              </g>
            ) : (
              <circle key={node.id} cx={x} cy={y} r={DOT / 2} className="plan-dot" />
            ),
          )}
        </svg>
      </div>
      <ol className="plan-list" aria-label="Steps">
        {steps.map((n) => (
          <li key={n.id}>
            <button type="button" className="btn quiet" onClick={() => onChoose(n.line)}>
              <span className="mono">{visible(n.id)}</span>
            </button>
            <span className="mute">
              {visible(human(n.kind))}: <bdi>{visible(n.words)}</bdi>
              {n.changes ? <strong> changes something outside</strong> : null}
            </span>
          </li>
        ))}
      </ol>
    </div>
  );
}
