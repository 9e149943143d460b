// Two runs of one playbook, step by step.

interface Step {
  step: string;
  at: string;
  began?: string | null | undefined;
  end?: string | undefined;
  outcome: string;
  output?: unknown;
}

export interface Pair {
  step: string;
  left: { end: string; outcome: string } | undefined;
  right: { end: string; outcome: string } | undefined;
  differs: boolean;
  tookMs: [number | undefined, number | undefined] | undefined;
}

const took = (s: Step | undefined) => (s?.began ? Math.max(0, new Date(s.at).getTime() - new Date(s.began).getTime()) : undefined);
const half = (s: Step | undefined) => (s ? { end: s.end || "done", outcome: s.outcome } : undefined);

/** Steps of either run: the first one's order, then what only the other has. */
export function compareRuns(a: { steps: Step[] }, b: { steps: Step[] }): Pair[] {
  const last = (steps: Step[]) => new Map(steps.map((s) => [s.step, s]));
  const left = last(a.steps);
  const right = last(b.steps);
  return [...new Set([...left.keys(), ...right.keys()])].map((step) => {
    const [l, r] = [left.get(step), right.get(step)];
    // Words name times and ids, which always differ: the way it ended and what it gave count.
    const differs = half(l)?.end !== half(r)?.end || JSON.stringify(l?.output ?? null) !== JSON.stringify(r?.output ?? null);
    const times: [number | undefined, number | undefined] = [took(l), took(r)];
    return { step, left: half(l), right: half(r), differs, tookMs: times[0] === undefined && times[1] === undefined ? undefined : times };
  });
}
