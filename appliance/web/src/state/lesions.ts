// Lesions by slice, for the overlay, the slice bar and the keys n and b. Pure.
import type { Finding, Lesion, SliceLesion } from "../api/types";
import { boundsOfRuns, outlineOfRuns, runsContain, type Bounds, type Loop } from "../image/outline";

/** One lesion's cut in one slice, ready to draw. */
export interface Mark {
  lesion: Lesion;
  cut: SliceLesion;
  loops: Loop[];
  bounds: Bounds;
}

export type MarksBySlice = ReadonlyMap<number, readonly Mark[]>;

const NO_MARKS: MarksBySlice = new Map();
/** What lists lesions: a finding, or a preview at another threshold. */
export type Listing = Pick<Finding, "lesions">;

const known = new WeakMap<Listing, MarksBySlice>();

/** Outlines are built once per finding: findings are replaced, never changed. */
export function marksOf(finding: Listing | null): MarksBySlice {
  if (finding === null) return NO_MARKS;
  let marks = known.get(finding);
  if (marks === undefined) {
    marks = buildMarks(finding);
    known.set(finding, marks);
  }
  return marks;
}

function buildMarks(finding: Listing): MarksBySlice {
  const marks = new Map<number, Mark[]>();
  for (const lesion of finding.lesions) {
    for (const cut of lesion.slices) {
      const mark = { lesion, cut, loops: outlineOfRuns(cut.runs), bounds: boundsOfRuns(cut.runs) };
      const here = marks.get(cut.slice);
      if (here === undefined) marks.set(cut.slice, [mark]);
      else here.push(mark);
    }
  }
  return marks;
}

export function markAt(marks: readonly Mark[], column: number, row: number): Mark | null {
  return marks.find((mark) => runsContain(mark.cut.runs, column, row)) ?? null;
}

/** The slice that shows most of the lesion. */
export function bestSlice(lesion: Lesion): number {
  const best = lesion.slices.reduce<SliceLesion | null>(
    (largest, cut) => (largest === null || cut.area_mm2 > largest.area_mm2 ? cut : largest),
    null,
  );
  return best?.slice ?? Math.round(lesion.center_px[2]);
}

/** The lesion after (step 1) or before (step -1) the chosen one, round and round, by number. */
export function neighbour(lesions: readonly Lesion[], chosen: number | null, step: 1 | -1): Lesion | null {
  if (lesions.length === 0) return null;
  const at = lesions.findIndex((lesion) => lesion.number === chosen);
  if (at < 0) return (step === 1 ? lesions[0] : lesions.at(-1)) ?? null;
  return lesions[(at + step + lesions.length) % lesions.length] ?? null;
}
