// Dragging a contour's point, or drawing a border anew.
import { imageFromScreen, type Point } from "../image/placement";
import { gripAt, moved, placeOfImage, redrawing, redrawn, session, type Border, type Grip, type Place } from "../state/contours";
import * as viewer from "../state/viewer";
import { currentPlacement } from "./gestures";

/** A finger's reach, in screen pixels. */
const REACH_PX = 14;

let grip: Grip | null = null;
let path: { place: Place; border: Border; points: Point[] } | null = null;

/** The slice and phase on show, while its contours are edited. */
export function placeOnShow(): Place | null {
  const current = session.value;
  const shown = viewer.shown.value;
  const uid = shown?.stack.sop_instance_uids[shown.slice];
  return current === null || uid === undefined ? null : placeOfImage(current.phases, uid);
}

export function beginContour(screen: Point): void {
  const placement = currentPlacement();
  const current = session.value;
  const place = placeOnShow();
  grip = null;
  path = null;
  if (placement === null || current === null || place === null) return;
  const at = imageFromScreen(placement, screen);
  const border = redrawing.value;
  if (border !== null) path = { place, border, points: [at] };
  else grip = gripAt(current, place, at, REACH_PX / placement.scale);
}

export function continueContour(screen: Point): void {
  const placement = currentPlacement();
  const current = session.value;
  if (placement === null || current === null) return;
  const at = imageFromScreen(placement, screen);
  if (grip !== null) session.value = moved(current, grip, at);
  if (path !== null) {
    path.points.push(at);
    session.value = redrawn(current, path.place, path.border, path.points);
  }
}

export function endContour(): void {
  if (path !== null) redrawing.value = null;
  grip = null;
  path = null;
}
