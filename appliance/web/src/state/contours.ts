// A reader at work on a ventricle's contours: what the box has, what was changed and not yet saved. Pure but for its
// signals; coordinates are image pixels with centres at whole numbers.
import { signal } from "@preact/signals";
import type { BorderPoints, Finding, PhaseContours } from "../api/types";
import type { Point } from "../image/placement";
import { hasArea } from "./region";

export type Border = "endocardium" | "epicardium";
export const BORDERS: readonly Border[] = ["endocardium", "epicardium"];
export const BORDER_NAMES: Record<Border, string> = { endocardium: "inner border", epicardium: "outer border" };

/** Slices and phases count from 0. */
export interface Place {
  slice: number;
  phase: number;
}

export interface Borders {
  endocardium: BorderPoints;
  epicardium: BorderPoints;
}

export interface Session {
  finding: Finding;
  phases: readonly PhaseContours[];
  /** By `placeKey`. */
  changed: ReadonlyMap<string, Borders & Place>;
  edPhase: number | null;
  esPhase: number | null;
}

export interface Grip extends Place {
  border: Border;
  index: number;
}

export const session = signal<Session | null>(null);
/** The border that the next drag draws anew. */
export const redrawing = signal<Border | null>(null);

/** As many points as a hand can move; the box's own outlines have no more. */
const POINTS_MAX = 40;
const POINTS_MIN = 8;
/** A redrawn outline has a point every so many pixels. */
const STEP_PX = 4;

const placeKey = ({ slice, phase }: Place): string => `${slice}/${phase}`;

/** Which slice and phase an image is. */
export function placeOfImage(phases: readonly PhaseContours[], sopInstanceUid: string): Place | null {
  for (const { phase, slices } of phases) {
    const slice = slices.findIndex((one) => one.sop_instance_uid === sopInstanceUid);
    if (slice >= 0) return { slice, phase };
  }
  return null;
}

export function imageAt(phases: readonly PhaseContours[], { slice, phase }: Place): string | null {
  return phases[phase]?.slices[slice]?.sop_instance_uid ?? null;
}

export function bordersAt(current: Session, place: Place): Borders {
  const own = current.phases[place.phase]?.slices[place.slice];
  return current.changed.get(placeKey(place)) ?? { endocardium: own?.endocardium ?? [], epicardium: own?.epicardium ?? [] };
}

export function withBorders(current: Session, place: Place, borders: Borders): Session {
  const changed = new Map(current.changed);
  changed.set(placeKey(place), { slice: place.slice, phase: place.phase, ...borders });
  return { ...current, changed };
}

/** The point of an outline nearest to a place, if it is within reach. */
export function gripAt(current: Session, place: Place, at: Point, reachPx: number): Grip | null {
  let best: Grip | null = null;
  let nearest = reachPx;
  const borders = bordersAt(current, place);
  for (const border of BORDERS) {
    borders[border].forEach(([x, y], index) => {
      const away = Math.hypot(x - at.x, y - at.y);
      if (away <= nearest) {
        nearest = away;
        best = { ...place, border, index };
      }
    });
  }
  return best;
}

const hundredth = (value: number): number => Math.round(value * 100) / 100;

export function moved(current: Session, { border, index, ...place }: Grip, to: Point): Session {
  const borders = bordersAt(current, place);
  const points = borders[border].map((point, at): [number, number] => (at === index ? [hundredth(to.x), hundredth(to.y)] : point));
  return withBorders(current, place, { ...borders, [border]: points });
}

/** A freehand path in the place of a border; a click changes nothing. */
export function redrawn(current: Session, place: Place, border: Border, path: readonly Point[]): Session {
  if (!hasArea({ shape: "polygon", points: path })) return current;
  return withBorders(current, place, { ...bordersAt(current, place), [border]: spaced(path) });
}

/** Points at even distances along a closed path. */
export function spaced(path: readonly Point[]): [number, number][] {
  const closed = [...path, path[0] ?? { x: 0, y: 0 }];
  const lengths = closed.slice(1).map((point, at) => Math.hypot(point.x - (closed[at]?.x ?? 0), point.y - (closed[at]?.y ?? 0)));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const count = Math.max(POINTS_MIN, Math.min(POINTS_MAX, Math.round(total / STEP_PX)));
  const points: [number, number][] = [];
  let side = 0;
  let before = 0;
  for (let step = 0; step < count; step += 1) {
    const along = (step / count) * total;
    while (side < lengths.length - 1 && before + (lengths[side] ?? 0) < along) {
      before += lengths[side] ?? 0;
      side += 1;
    }
    const from = closed[side] ?? { x: 0, y: 0 };
    const to = closed[side + 1] ?? from;
    const part = lengths[side] === 0 ? 0 : (along - before) / (lengths[side] ?? 1);
    points.push([hundredth(from.x + (to.x - from.x) * part), hundredth(from.y + (to.y - from.y) * part)]);
  }
  return points;
}

export function isDirty(current: Session): boolean {
  return current.changed.size > 0 || current.edPhase !== null || current.esPhase !== null;
}

/** Whether a finding has contours that may be changed. */
export function canEdit(finding: Finding): boolean {
  return finding.cardiac?.contours != null && ["preliminary", "confirmed", "not_applicable"].includes(finding.state);
}
