// Where an image lies on the screen: one affine map, both ways.
// Image coordinates have pixel centres at integers (the box's convention); screen coordinates are CSS
// pixels from the viewport's top left corner, y down. Orientation is kept as a signed permutation matrix,
// so flips and turns compose exactly and edge letters follow by transposing it.
import type { EdgeLetters, Stack } from "../api/types";

export interface Point {
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

/** screen direction = matrix * image direction; entries are -1, 0 or 1. */
export interface Orientation {
  xx: number;
  xy: number;
  yx: number;
  yy: number;
}

export const UPRIGHT: Orientation = { xx: 1, xy: 0, yx: 0, yy: 1 };
export const FLIP_HORIZONTAL: Orientation = { xx: -1, xy: 0, yx: 0, yy: 1 };
export const FLIP_VERTICAL: Orientation = { xx: 1, xy: 0, yx: 0, yy: -1 };
export const QUARTER_TURN_RIGHT: Orientation = { xx: 0, xy: -1, yx: 1, yy: 0 };
export const QUARTER_TURN_LEFT: Orientation = { xx: 0, xy: 1, yx: -1, yy: 0 };

/** First `before`, then `after`, both as seen on the screen. */
// (Not called `then`: a module that exports that name is taken for a promise by import().)
export function composed(before: Orientation, after: Orientation): Orientation {
  return {
    xx: after.xx * before.xx + after.xy * before.yx,
    xy: after.xx * before.xy + after.xy * before.yy,
    yx: after.yx * before.xx + after.yy * before.yx,
    yy: after.yx * before.xy + after.yy * before.yy,
  };
}

export function turned(point: Point, by: Orientation): Point {
  return { x: by.xx * point.x + by.xy * point.y, y: by.yx * point.x + by.yy * point.y };
}

export interface View {
  orientation: Orientation;
  /** 1 fits the whole image into the viewport. */
  zoom: number;
  /** Screen offset of the image centre from the viewport centre. */
  pan: Point;
}

export const FITTED: View = { orientation: UPRIGHT, zoom: 1, pan: { x: 0, y: 0 } };

/** Below a quarter the image is a stamp; above 40 single pixels fill a hand. */
export const ZOOM_MIN = 0.25;
export const ZOOM_MAX = 40;

export interface Placement {
  /** screen.x = a * image.x + c * image.y + e; screen.y = b * image.x + d * image.y + f (as in canvas). */
  a: number;
  b: number;
  c: number;
  d: number;
  e: number;
  f: number;
  /** Screen pixels per image pixel along the image's finer axis. */
  scale: number;
}

type Grid = Pick<Stack, "columns" | "rows" | "column_spacing_mm" | "row_spacing_mm">;

/** Width and height of one pixel relative to its smaller side; unknown spacing means square pixels. */
export function pixelShape(grid: Grid): Size {
  const width = grid.column_spacing_mm;
  const height = grid.row_spacing_mm;
  if (width === null || height === null || !(width > 0) || !(height > 0)) return { width: 1, height: 1 };
  const smaller = Math.min(width, height);
  return { width: width / smaller, height: height / smaller };
}

export function place(grid: Grid, view: View, viewport: Size): Placement {
  const pixel = pixelShape(grid);
  const sideways = view.orientation.xx === 0;
  const extentX = grid.columns * pixel.width;
  const extentY = grid.rows * pixel.height;
  const fit = Math.min(
    viewport.width / (sideways ? extentY : extentX),
    viewport.height / (sideways ? extentX : extentY),
  );
  const scale = Math.max(fit, 1e-6) * view.zoom;
  const { xx, xy, yx, yy } = view.orientation;
  const a = scale * xx * pixel.width;
  const b = scale * yx * pixel.width;
  const c = scale * xy * pixel.height;
  const d = scale * yy * pixel.height;
  const middleX = (grid.columns - 1) / 2;
  const middleY = (grid.rows - 1) / 2;
  const e = viewport.width / 2 + view.pan.x - a * middleX - c * middleY;
  const f = viewport.height / 2 + view.pan.y - b * middleX - d * middleY;
  return { a, b, c, d, e, f, scale };
}

export function screenFromImage(placement: Placement, point: Point): Point {
  const { a, b, c, d, e, f } = placement;
  return { x: a * point.x + c * point.y + e, y: b * point.x + d * point.y + f };
}

export function imageFromScreen(placement: Placement, point: Point): Point {
  const { a, b, c, d, e, f } = placement;
  const determinant = a * d - b * c;
  const x = point.x - e;
  const y = point.y - f;
  return { x: (d * x - c * y) / determinant, y: (a * y - b * x) / determinant };
}

export function clampZoom(zoom: number): number {
  return Math.max(ZOOM_MIN, Math.min(ZOOM_MAX, zoom));
}

/** Zooms so that what lies under `anchor` (screen) stays under it. */
export function zoomedAt(view: View, factor: number, anchor: Point, viewport: Size): View {
  const zoom = clampZoom(view.zoom * factor);
  const growth = zoom / view.zoom;
  const fromCentre = { x: anchor.x - viewport.width / 2, y: anchor.y - viewport.height / 2 };
  return {
    ...view,
    zoom,
    pan: {
      x: fromCentre.x - (fromCentre.x - view.pan.x) * growth,
      y: fromCentre.y - (fromCentre.y - view.pan.y) * growth,
    },
  };
}

/** Flips or turns the picture about the middle of the viewport, where the reader is looking. */
export function reoriented(view: View, by: Orientation): View {
  return { ...view, orientation: composed(view.orientation, by), pan: turned(view.pan, by) };
}

/** The view that shows `point` of the image in the middle of the viewport at `zoom`. */
export function centredOn(grid: Grid, view: View, point: Point, zoom: number, viewport: Size): View {
  const moved: View = { ...view, zoom: clampZoom(zoom), pan: { x: 0, y: 0 } };
  const seenAt = screenFromImage(place(grid, moved, viewport), point);
  return { ...moved, pan: { x: viewport.width / 2 - seenAt.x, y: viewport.height / 2 - seenAt.y } };
}

/** The letters at the screen's edges for letters given at the image's edges. */
export function seenEdgeLetters(letters: EdgeLetters, orientation: Orientation): EdgeLetters {
  const at = (screen: Point): string => {
    // The inverse of a signed permutation matrix is its transpose.
    const x = orientation.xx * screen.x + orientation.yx * screen.y;
    const y = orientation.xy * screen.x + orientation.yy * screen.y;
    if (x !== 0) return x < 0 ? letters.left : letters.right;
    return y < 0 ? letters.top : letters.bottom;
  };
  return {
    left: at({ x: -1, y: 0 }),
    right: at({ x: 1, y: 0 }),
    top: at({ x: 0, y: -1 }),
    bottom: at({ x: 0, y: 1 }),
  };
}
