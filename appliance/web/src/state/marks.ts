// Marks of a detection network: which of them stand on an image, where the reader finds them, in words. Pure.
import type { Finding, FoundMark, HeatGrid, MarkedView, StudyDetail } from "../api/types";

/** Marks of one image, the most suspicious first. Of a volume, a mark also stands on the slices that it reaches. */
export function marksOn(finding: Finding | null, sopInstanceUid: string, slice: number, millimetresApart: number | null): readonly FoundMark[] {
  const marks = finding?.marks?.marks ?? [];
  if (finding?.kind !== "nodules" || millimetresApart === null) return marks.filter((mark) => mark.sop_instance_uid === sopInstanceUid);
  return marks.filter((mark) => Math.abs(mark.center_px[2] - slice) * millimetresApart <= Math.max(mark.diameter_mm / 2, millimetresApart / 2));
}

export function heatOn(finding: Finding | null, sopInstanceUid: string): HeatGrid | null {
  return finding?.marks?.views.find((view) => view.sop_instance_uid === sopInstanceUid)?.heat ?? null;
}

/** The series and the slice of an image, wherever it is in the study. */
export function placeOfImage(study: StudyDetail | null, sopInstanceUid: string): { series: string; slice: number } | null {
  for (const series of study?.series ?? []) {
    const slice = series.stack?.sop_instance_uids.indexOf(sopInstanceUid) ?? -1;
    if (slice >= 0) return { series: series.uid, slice };
  }
  return null;
}

/** Where a mark stands: its view, or its slice. */
export function standing(finding: Finding, mark: FoundMark): string {
  const view = finding.marks?.views.find((one) => one.sop_instance_uid === mark.sop_instance_uid);
  return view?.view ?? `slice ${Math.round(mark.center_px[2]) + 1}`;
}

/** The score of a view, or why it has none. */
export function viewWords(view: MarkedView): string {
  if (view.not_judged !== null) return `not judged: ${view.not_judged}`;
  return view.score_percent === null ? "no score" : `${view.score_percent.toFixed(0)} of 100`;
}
