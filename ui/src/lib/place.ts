// Where cards stand: who acted on the left, who was acted upon on the right, who did both in between.
//
// Three columns say more than a general layout does, and stay readable when everybody deals with
// everybody. Within a column a card stands near those it deals with.

interface Card {
  id: string;
  acted: number;
  suffered: number;
  peer: boolean;
}

interface Link {
  from: string;
  to: string;
  alerts: number;
}

export interface Place {
  x: number;
  y: number;
}

const COLUMN = 330;
const ROW = 66;
/** Cards below each other; a longer column is folded into two. */
const TALL = 9;

/** 0: acted, 1: both, 2: was acted upon. */
export function column(card: Card): 0 | 1 | 2 {
  if (card.acted > 3 * card.suffered) return 0;
  if (card.suffered > 3 * card.acted) return 2;
  return 1;
}

/** Adds places for cards that have none. Those that have one keep it: nothing jumps. */
export function place(view: { cards: Card[]; links: Link[] }, kept: Map<string, Place>): void {
  if (view.cards.every((c) => kept.has(c.id))) return;
  const columns: Card[][] = [[], [], []];
  for (const c of view.cards) columns[column(c)]!.push(c);
  const rank = new Map<string, number>();
  const weight = (c: Card) => (c.peer ? 1e9 : c.acted + c.suffered);
  for (const all of columns) {
    all.sort((a, b) => weight(b) - weight(a) || a.id.localeCompare(b.id));
    all.forEach((c, n) => rank.set(c.id, n / Math.max(1, all.length)));
  }
  // Two passes of taking the middle of one's neighbours untangle most of it.
  for (let pass = 0; pass < 2; pass++) {
    for (const all of columns) {
      const middle = new Map(all.map((c) => [c.id, neighbours(c.id, view.links, rank)]));
      all.sort((a, b) => middle.get(a.id)! - middle.get(b.id)! || a.id.localeCompare(b.id));
      all.forEach((c, n) => rank.set(c.id, n / Math.max(1, all.length)));
    }
  }
  let x = 0;
  for (const all of columns.filter((c) => c.length > 0)) {
    const folds = Math.ceil(all.length / TALL);
    const rows = Math.ceil(all.length / folds);
    all.forEach((c, n) => {
      const at = { x: x + Math.floor(n / rows) * (COLUMN * 0.66), y: (n % rows) * ROW - (rows * ROW) / 2 };
      if (!kept.has(c.id)) kept.set(c.id, at);
    });
    x += COLUMN + (folds - 1) * COLUMN * 0.66;
  }
}

function neighbours(id: string, links: Link[], rank: Map<string, number>): number {
  let sum = 0;
  let count = 0;
  for (const l of links) {
    const other = l.from === id ? l.to : l.to === id ? l.from : undefined;
    if (other === undefined) continue;
    sum += rank.get(other) ?? 0.5;
    count += 1;
  }
  return count === 0 ? 0.5 : sum / count;
}
