// The region the reader is drawing, until it is sent to the box or thrown away. Pure but for its signal.
import { signal } from "@preact/signals";
import type { Shape, Stack } from "../api/types";
import type { Point } from "../image/placement";

export type DraftShape =
  | { shape: "circle"; center: Point; radius: number }
  | { shape: "polygon"; points: readonly Point[] };

export interface Draft {
  figure: DraftShape;
  /** False while the pointer is still down. */
  complete: boolean;
  /** Slice indices, both included. */
  first: number;
  last: number;
}

export const draft = signal<Draft | null>(null);
export const regionProblem = signal<string | null>(null);

/** Smaller than this is a click, not a drawing. */
const RADIUS_MIN_PX = 1;
/** A point per half pixel of path is more than the even-odd rule on pixel centres can see. */
const POINT_DISTANCE_PX = 0.5;
/** A hand-drawn outline needs hundreds of points; this keeps the request small whatever the hand does. */
const POINTS_MAX = 2000;

export function hasArea(figure: DraftShape): boolean {
  if (figure.shape === "circle") return figure.radius >= RADIUS_MIN_PX;
  return figure.points.length >= 3 && polygonArea(figure.points) >= 1;
}

function polygonArea(points: readonly Point[]): number {
  let twice = 0;
  points.forEach((point, index) => {
    const next = points[(index + 1) % points.length] ?? point;
    twice += point.x * next.y - next.x * point.y;
  });
  return Math.abs(twice) / 2;
}

/** The figure while the pointer moves from `start` to `at`, both in image pixels. */
export function drawn(figure: DraftShape, at: Point): DraftShape {
  if (figure.shape === "circle") {
    return { ...figure, radius: Math.hypot(at.x - figure.center.x, at.y - figure.center.y) };
  }
  const last = figure.points.at(-1);
  const near = last !== undefined && Math.hypot(at.x - last.x, at.y - last.y) < POINT_DISTANCE_PX;
  if (near || figure.points.length >= POINTS_MAX) return figure;
  return { ...figure, points: [...figure.points, at] };
}

const tenth = (value: number): number => Math.round(value * 10) / 10;

/** What the box is asked to measure: a tenth of a pixel is finer than any hand. */
export function shapeOf({ figure, first, last }: Draft): Shape {
  const slices = { first_slice: Math.min(first, last), last_slice: Math.max(first, last) };
  if (figure.shape === "circle") {
    const { center, radius } = figure;
    return { shape: "circle", center_px: [tenth(center.x), tenth(center.y)], radius_px: tenth(radius), ...slices };
  }
  return { shape: "polygon", points_px: figure.points.map(({ x, y }) => [tenth(x), tenth(y)]), ...slices };
}

/** Radius in millimetres, where pixels are square and their size is known. */
export function radiusMm(radius: number, stack: Pick<Stack, "column_spacing_mm" | "row_spacing_mm">): number | null {
  const across = stack.column_spacing_mm;
  const down = stack.row_spacing_mm;
  if (across === null || down === null || Math.abs(across - down) > 1e-3 * across) return null;
  return radius * across;
}
