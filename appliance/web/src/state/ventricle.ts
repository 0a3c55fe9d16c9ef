// The left ventricle over a cycle: contours for the image on show, and the volume curve. Pure.
import type { Finding, Masks, Ventricle } from "../api/types";
import { outlineOfRuns, type Loop } from "../image/outline";

export interface Contours {
  cavity: Loop[];
  muscle: Loop[];
}

type ContoursByImage = ReadonlyMap<string, Contours>;

const NO_CONTOURS: ContoursByImage = new Map();
const known = new WeakMap<Finding, ContoursByImage>();

/** Outlines by SOP Instance UID; built once per finding: findings are replaced, never changed. */
export function contoursOf(finding: Finding | null): ContoursByImage {
  if (finding?.cardiac == null) return NO_CONTOURS;
  let contours = known.get(finding);
  if (contours === undefined) {
    const masks = finding.cardiac.slices.flatMap((slice) => [slice.ed, slice.es]);
    contours = new Map(masks.map((mask) => [mask.sop_instance_uid, outlines(mask)]));
    known.set(finding, contours);
  }
  return contours;
}

/** The muscle's outline has the cavity as a hole: its loops are both borders. */
function outlines(mask: Masks): Contours {
  return { cavity: outlineOfRuns(mask.cavity), muscle: outlineOfRuns(mask.muscle) };
}

export interface Curve {
  /** SVG path of the volume over the cycle, in a box of `width` by `height`. */
  path: string;
  ed: { x: number; y: number };
  es: { x: number; y: number };
  /** The volume at the top of the box, mL; the bottom is 0. */
  top_ml: number;
}

/** Volumes from zero: a curve that begins at its smallest value makes every heart look vigorous. */
export function curveOf(ventricle: Ventricle, width: number, height: number): Curve | null {
  const { cavity_ml: volumes, ed_phase, es_phase } = ventricle;
  const known = volumes.flatMap((volume, phase) => (volume === null ? [] : [{ volume, phase }]));
  const top = Math.ceil(Math.max(...known.map((one) => one.volume)) / 50) * 50;
  if (known.length < 2 || !Number.isFinite(top) || top <= 0) return null;
  const at = (phase: number): { x: number; y: number } => ({
    x: (phase / (volumes.length - 1)) * width,
    y: height - ((volumes[phase] ?? 0) / top) * height,
  });
  const path = known
    .map(({ phase }) => at(phase))
    .map(({ x, y }, index) => `${index === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`)
    .join("");
  return { path, ed: at(ed_phase), es: at(es_phase), top_ml: top };
}
