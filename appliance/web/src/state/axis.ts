// The heart's long axis on multi-phase CT, set by a reader: an end on each of two images. Pure but for its signals;
// coordinates are image pixels with centres at whole numbers.
import { signal } from "@preact/signals";
import type { Finding, SeriesSummary } from "../api/types";
import type { Point } from "../image/placement";

export type End = "base" | "apex";
export const ENDS: readonly End[] = ["base", "apex"];
export const END_NAMES: Record<End, string> = { base: "Mitral valve", apex: "Apex" };

export interface AxisPoint extends Point {
  seriesUid: string;
  sopInstanceUid: string;
  /** Place of the image in the series, from 0. */
  image: number;
}

export const axis = signal<Readonly<Record<End, AxisPoint | null>>>({ base: null, apex: null });
/** The end that the next press on the image sets. */
export const setting = signal<End | null>(null);

/** What the box calls the series it cuts; such a one is not cut again. */
const CUT = "Short axis, cut by Sidelight";

/** Whether the short axis can be cut for this finding's series. */
export function canCut(finding: Finding, series: SeriesSummary | null): boolean {
  return finding.cardiac !== null && finding.series_uid === series?.uid && series.modality === "CT" && series.description !== CUT;
}

export function withEnd(before: Readonly<Record<End, AxisPoint | null>>, end: End, point: AxisPoint): Readonly<Record<End, AxisPoint | null>> {
  const other: End = end === "base" ? "apex" : "base";
  // An axis does not go from one series into another.
  const kept = before[other]?.seriesUid === point.seriesUid ? before[other] : null;
  return { ...before, [other]: kept, [end]: point };
}

/** The ends that lie on an image. */
export function endsOn(points: Readonly<Record<End, AxisPoint | null>>, sopInstanceUid: string): { end: End; at: Point }[] {
  return ENDS.flatMap((end) => {
    const point = points[end];
    return point?.sopInstanceUid === sopInstanceUid ? [{ end, at: { x: point.x, y: point.y } }] : [];
  });
}
