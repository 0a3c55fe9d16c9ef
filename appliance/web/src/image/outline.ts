// The outline of a set of pixels given as runs: closed loops along pixel edges, in image coordinates
// (pixel centres at integers, so edges lie at halves). Holes come out as loops of their own, so the same
// loops fill correctly under the even-odd rule.
import type { Run } from "../api/types";

export type Loop = [number, number][];

export interface Bounds {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

type Corner = [number, number];

/** Corners are counted from the top left of pixel (0, 0); far more than any image has columns. */
const STRIDE = 1 << 20;
const key = (x: number, y: number): number => y * STRIDE + x;

/** Directed edges with the pixel on their right hand side (clockwise on the screen), by starting corner. */
function boundaryEdges(runs: readonly Run[]): Map<number, Corner[]> {
  const inside = new Set<number>();
  for (const [row, first, length] of runs) {
    for (let column = first; column < first + length; column += 1) inside.add(key(column, row));
  }
  const edges = new Map<number, Corner[]>();
  const add = (x: number, y: number, to: Corner): void => {
    const from = edges.get(key(x, y));
    if (from === undefined) edges.set(key(x, y), [to]);
    else from.push(to);
  };
  for (const pixel of inside) {
    const x = pixel % STRIDE;
    const y = Math.floor(pixel / STRIDE);
    if (!inside.has(key(x, y - 1))) add(x, y, [x + 1, y]);
    if (!inside.has(key(x + 1, y))) add(x + 1, y, [x + 1, y + 1]);
    if (!inside.has(key(x, y + 1))) add(x + 1, y + 1, [x, y + 1]);
    if (!inside.has(key(x - 1, y))) add(x, y + 1, [x, y]);
  }
  return edges;
}

/** Where two loops touch at a corner, turning right keeps each loop round its own pixels. */
function nextCorner(exits: Corner[], from: Corner, at: Corner): Corner {
  const rightTurn: Corner = [at[0] - (at[1] - from[1]), at[1] + (at[0] - from[0])];
  const chosen = exits.findIndex((exit) => exit[0] === rightTurn[0] && exit[1] === rightTurn[1]);
  return exits.splice(Math.max(chosen, 0), 1)[0] ?? at;
}

export function outlineOfRuns(runs: readonly Run[]): Loop[] {
  const edges = boundaryEdges(runs);
  const loops: Loop[] = [];
  for (const [startKey, exits] of edges) {
    while (exits.length > 0) {
      const start: Corner = [startKey % STRIDE, Math.floor(startKey / STRIDE)];
      loops.push(follow(edges, start));
    }
  }
  return loops;
}

function follow(edges: Map<number, Corner[]>, start: Corner): Loop {
  const corners: Corner[] = [start];
  let from = start;
  let at = edges.get(key(start[0], start[1]))?.pop() ?? start;
  while (at[0] !== start[0] || at[1] !== start[1]) {
    const exits = edges.get(key(at[0], at[1])) ?? [];
    const to = nextCorner(exits, from, at);
    const straight = to[0] - at[0] === at[0] - from[0] && to[1] - at[1] === at[1] - from[1];
    if (!straight) corners.push(at);
    from = at;
    at = to;
  }
  return corners.map(([x, y]) => [x - 0.5, y - 0.5]);
}

export function boundsOfRuns(runs: readonly Run[]): Bounds {
  const bounds: Bounds = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const [row, first, length] of runs) {
    bounds.left = Math.min(bounds.left, first - 0.5);
    bounds.right = Math.max(bounds.right, first + length - 0.5);
    bounds.top = Math.min(bounds.top, row - 0.5);
    bounds.bottom = Math.max(bounds.bottom, row + 0.5);
  }
  return bounds;
}

export function runsContain(runs: readonly Run[], column: number, row: number): boolean {
  return runs.some(([r, first, length]) => r === row && column >= first && column < first + length);
}
