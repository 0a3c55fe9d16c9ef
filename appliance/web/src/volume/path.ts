// A vessel's centreline, set point by point on planes; the box straightens the volume along it. Pure.
import type { Point, Size } from "../image/placement";
import { dot, plus, type Eye, type Vector } from "./eye";

/** As many as the box takes. */
export const POINTS_MAX = 64;

/** Where a point of the pane lies on the plane that is looked at. */
export function placed(eye: Eye, at: Point, size: Size): Vector {
  const mm = eye.heightMm / size.height;
  const right = plus(eye.center, eye.right, (at.x - size.width / 2) * mm);
  return plus(right, eye.down, (at.y - size.height / 2) * mm);
}

/** Where a point of the patient is on the pane, and how far behind the plane it lies. */
export function seen(eye: Eye, point: Vector, size: Size): Point & { behindMm: number } {
  const scale = size.height / eye.heightMm;
  const offset = plus(point, eye.center, -1);
  return {
    x: size.width / 2 + dot(offset, eye.right) * scale,
    y: size.height / 2 + dot(offset, eye.down) * scale,
    behindMm: dot(offset, eye.into),
  };
}

/** With one more point at its end; a full path stays as it is. */
export function longer(path: readonly Vector[], point: Vector): readonly Vector[] {
  return path.length < POINTS_MAX ? [...path, point] : path;
}

/** Along its straight pieces. */
export function lengthMm(path: readonly Vector[]): number {
  let whole = 0;
  path.forEach((point, index) => {
    const before = path[index - 1];
    if (before !== undefined) whole += Math.hypot(...plus(point, before, -1));
  });
  return whole;
}
