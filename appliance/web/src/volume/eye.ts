// Where the reader looks at a volume from, and how a hand changes it. Patient millimetres: x to the left, y to the
// back, z to the head. Pure; the box does the drawing.
import type { Point, Size } from "../image/placement";

export type Vector = readonly [number, number, number];

/** `right`, `down` and `into` are of unit length and square to each other: the picture's own directions. */
export interface Eye {
  center: Vector;
  right: Vector;
  down: Vector;
  into: Vector;
  /** Millimetres from the top of the picture to its bottom. */
  heightMm: number;
}

/** Standing in front of, behind, left, right, above or below the patient. */
export type Side = "a" | "p" | "l" | "r" | "h" | "f";

/** Right and down in the picture; from the feet is how axial slices are looked at. */
const SIDES: Record<Side, { right: Vector; down: Vector }> = {
  a: { right: [1, 0, 0], down: [0, 0, -1] },
  p: { right: [-1, 0, 0], down: [0, 0, -1] },
  l: { right: [0, 1, 0], down: [0, 0, -1] },
  r: { right: [0, -1, 0], down: [0, 0, -1] },
  h: { right: [-1, 0, 0], down: [0, 1, 0] },
  f: { right: [1, 0, 0], down: [0, 1, 0] },
};

/** A drag over the height of the picture turns it by half a turn. */
const HALF_TURN = Math.PI;
/** Closer than a voxel and farther than a corridor nobody looks. */
const HEIGHT_MIN_MM = 2;
const HEIGHT_MAX_MM = 5000;

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function plus(a: Vector, b: Vector, factor = 1): Vector {
  return [a[0] + b[0] * factor, a[1] + b[1] * factor, a[2] + b[2] * factor];
}

export function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function unit(a: Vector): Vector {
  const size = Math.hypot(...a);
  return [a[0] / size, a[1] / size, a[2] / size];
}

export function from(side: Side, center: Vector, heightMm: number): Eye {
  const { right, down } = SIDES[side];
  return { center, right, down, into: cross(right, down), heightMm };
}

/** `vector` turned about an axis of unit length (Rodrigues). */
function turnedAbout(vector: Vector, axis: Vector, angle: number): Vector {
  const cosine = Math.cos(angle);
  const along = plus([0, 0, 0], axis, dot(axis, vector) * (1 - cosine));
  return plus(plus(along, vector, cosine), cross(axis, vector), Math.sin(angle));
}

/** The body follows the hand: a drag to the right shows more of what was on the left of it. */
export function turned(eye: Eye, dx: number, dy: number, size: Size): Eye {
  const distance = Math.hypot(dx, dy);
  if (distance === 0) return eye;
  const axis = unit(plus(plus([0, 0, 0], eye.down, dx), eye.right, -dy));
  const angle = (distance / size.height) * HALF_TURN;
  const right = unit(turnedAbout(eye.right, axis, angle));
  // Made square again, so that rounding never adds up.
  const into = unit(cross(right, turnedAbout(eye.down, axis, angle)));
  return { ...eye, right, into, down: cross(into, right) };
}

/** Turned in the picture's own plane, clockwise. */
export function rolled(eye: Eye, angle: number): Eye {
  const right = turnedAbout(eye.right, eye.into, -angle);
  return { ...eye, right, down: turnedAbout(eye.down, eye.into, -angle) };
}

export function moved(eye: Eye, dx: number, dy: number, size: Size): Eye {
  const mm = eye.heightMm / size.height;
  return { ...eye, center: plus(plus(eye.center, eye.right, -dx * mm), eye.down, -dy * mm) };
}

/** Nearer by `factor`, the point under `at` staying where it is. */
export function nearer(eye: Eye, factor: number, at: Point, size: Size): Eye {
  const heightMm = Math.max(HEIGHT_MIN_MM, Math.min(HEIGHT_MAX_MM, eye.heightMm / factor));
  const gained = (eye.heightMm - heightMm) / size.height;
  const x = (at.x - size.width / 2) * gained;
  const y = (at.y - size.height / 2) * gained;
  return { ...eye, heightMm, center: plus(plus(eye.center, eye.right, x), eye.down, y) };
}

/** Into the picture, for planes. */
export function deeper(eye: Eye, mm: number): Eye {
  return { ...eye, center: plus(eye.center, eye.into, mm) };
}

const LETTERS = [["L", "R"], ["P", "A"], ["H", "F"]] as const;
/** Below about 15 degrees a second letter says nothing a reader needs. */
const OBLIQUE = 0.26;

/** Where a direction of the picture points in the patient, the main letter first. */
export function letters(direction: Vector): string {
  return [0, 1, 2]
    .map((axis) => ({ axis, part: direction[axis] ?? 0 }))
    .filter(({ part }) => Math.abs(part) > OBLIQUE)
    .sort((a, b) => Math.abs(b.part) - Math.abs(a.part))
    .map(({ axis, part }) => LETTERS[axis]?.[part > 0 ? 0 : 1] ?? "")
    .join("");
}

export function opposite(direction: Vector): Vector {
  return [-direction[0], -direction[1], -direction[2]];
}
