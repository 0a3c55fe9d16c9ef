import { describe, expect, it } from "vitest";
import {
  centredOn,
  FITTED,
  FLIP_HORIZONTAL,
  FLIP_VERTICAL,
  imageFromScreen,
  place,
  QUARTER_TURN_LEFT,
  QUARTER_TURN_RIGHT,
  reoriented,
  screenFromImage,
  seenEdgeLetters,
  composed,
  UPRIGHT,
  zoomedAt,
  type View,
} from "./placement";

const square = { columns: 512, rows: 512, column_spacing_mm: 0.7, row_spacing_mm: 0.7 };
/** Pixels twice as tall as wide. */
const tall = { columns: 200, rows: 100, column_spacing_mm: 0.5, row_spacing_mm: 1.0 };
const viewport = { width: 800, height: 600 };
const letters = { left: "R", right: "L", top: "A", bottom: "P" };

const everyOrientation = [UPRIGHT, QUARTER_TURN_RIGHT, QUARTER_TURN_LEFT, FLIP_HORIZONTAL, FLIP_VERTICAL].flatMap((first) =>
  [UPRIGHT, FLIP_HORIZONTAL, QUARTER_TURN_RIGHT].map((second) => composed(first, second)),
);

describe("placing an image", () => {
  it("fits the whole image and centres it", () => {
    const placement = place(square, FITTED, viewport);
    const corner = screenFromImage(placement, { x: -0.5, y: -0.5 });
    const opposite = screenFromImage(placement, { x: 511.5, y: 511.5 });
    expect(corner).toEqual({ x: 100, y: 0 });
    expect(opposite.x).toBeCloseTo(700, 9);
    expect(opposite.y).toBeCloseTo(600, 9);
  });

  it("shows anisotropic pixels in their true proportions", () => {
    const placement = place(tall, FITTED, viewport);
    const origin = screenFromImage(placement, { x: 0, y: 0 });
    const right = screenFromImage(placement, { x: 10, y: 0 });
    const down = screenFromImage(placement, { x: 0, y: 10 });
    expect((down.y - origin.y) / (right.x - origin.x)).toBeCloseTo(2, 9);
    // 200 * 0.5 mm by 100 * 1 mm is square, so the height of the viewport decides.
    expect(screenFromImage(placement, { x: 0, y: 99.5 }).y).toBeCloseTo(600, 9);
  });

  it("still fits after a quarter turn of an oblong image", () => {
    const oblong = { columns: 400, rows: 100, column_spacing_mm: 1, row_spacing_mm: 1 };
    const placement = place(oblong, reoriented(FITTED, QUARTER_TURN_RIGHT), viewport);
    const ends = [screenFromImage(placement, { x: -0.5, y: 0 }), screenFromImage(placement, { x: 399.5, y: 0 })];
    expect(Math.min(...ends.map((end) => end.y))).toBeCloseTo(0, 9);
    expect(Math.max(...ends.map((end) => end.y))).toBeCloseTo(600, 9);
  });

  it("goes to the screen and back to the same pixel under every flip, turn, zoom and pan", () => {
    for (const orientation of everyOrientation) {
      const view: View = { orientation, zoom: 3.7, pan: { x: -41, y: 88 } };
      const placement = place(tall, view, viewport);
      const back = imageFromScreen(placement, screenFromImage(placement, { x: 17, y: 93 }));
      expect(back.x).toBeCloseTo(17, 9);
      expect(back.y).toBeCloseTo(93, 9);
    }
  });

  it("keeps the pixel under the pointer while zooming, in every orientation", () => {
    const pointer = { x: 123, y: 456 };
    for (const orientation of everyOrientation) {
      const view: View = { orientation, zoom: 1.5, pan: { x: 10, y: -20 } };
      const before = imageFromScreen(place(tall, view, viewport), pointer);
      const after = imageFromScreen(place(tall, zoomedAt(view, 1.8, pointer, viewport), viewport), pointer);
      expect(after.x).toBeCloseTo(before.x, 9);
      expect(after.y).toBeCloseTo(before.y, 9);
    }
  });

  it("keeps the pixel in the middle of the viewport while flipping and turning", () => {
    const middle = { x: 400, y: 300 };
    const view: View = { orientation: UPRIGHT, zoom: 4, pan: { x: 70, y: 30 } };
    const before = imageFromScreen(place(square, view, viewport), middle);
    for (const by of [FLIP_HORIZONTAL, FLIP_VERTICAL, QUARTER_TURN_LEFT, QUARTER_TURN_RIGHT]) {
      const after = imageFromScreen(place(square, reoriented(view, by), viewport), middle);
      expect(after.x).toBeCloseTo(before.x, 9);
      expect(after.y).toBeCloseTo(before.y, 9);
    }
  });

  it("centres a lesion", () => {
    const view = centredOn(tall, reoriented(FITTED, FLIP_HORIZONTAL), { x: 12, y: 80 }, 5, viewport);
    const seen = screenFromImage(place(tall, view, viewport), { x: 12, y: 80 });
    expect(seen.x).toBeCloseTo(400, 9);
    expect(seen.y).toBeCloseTo(300, 9);
    expect(view.zoom).toBe(5);
  });

  it("takes pixels as square when the spacing is unknown", () => {
    const unknown = { columns: 10, rows: 10, column_spacing_mm: null, row_spacing_mm: 0.5 };
    const placement = place(unknown, FITTED, viewport);
    expect(placement.a).toBe(placement.d);
  });
});

describe("orientation", () => {
  it("returns to upright after four turns, or a turn there and back, or two flips", () => {
    let orientation = UPRIGHT;
    for (let turn = 0; turn < 4; turn += 1) orientation = composed(orientation, QUARTER_TURN_RIGHT);
    // The letters name all eight orientations apart, and unlike toEqual do not tell 0 from -0.
    expect(seenEdgeLetters(letters, orientation)).toEqual(letters);
    expect(seenEdgeLetters(letters, composed(QUARTER_TURN_RIGHT, QUARTER_TURN_LEFT))).toEqual(letters);
    expect(seenEdgeLetters(letters, composed(FLIP_VERTICAL, FLIP_VERTICAL))).toEqual(letters);
    expect(seenEdgeLetters(letters, composed(FLIP_VERTICAL, FLIP_HORIZONTAL))).not.toEqual(letters);
  });

  it("turns clockwise with the right-turn key: what was on top comes to the right", () => {
    const placement = place(square, reoriented(FITTED, QUARTER_TURN_RIGHT), viewport);
    const topMiddle = screenFromImage(placement, { x: 255.5, y: -0.5 });
    expect(topMiddle.x).toBeCloseTo(700, 9);
    expect(topMiddle.y).toBeCloseTo(300, 9);
  });
});

describe("edge letters", () => {
  it("stay where they are on an upright image", () => {
    expect(seenEdgeLetters(letters, UPRIGHT)).toEqual(letters);
  });

  it("swap sides with a horizontal flip", () => {
    expect(seenEdgeLetters(letters, FLIP_HORIZONTAL)).toEqual({ left: "L", right: "R", top: "A", bottom: "P" });
  });

  it("go round clockwise with a right turn", () => {
    expect(seenEdgeLetters(letters, QUARTER_TURN_RIGHT)).toEqual({ top: "R", right: "A", bottom: "L", left: "P" });
  });

  it("agree with where the image's edges really are on the screen, for every orientation", () => {
    for (const orientation of everyOrientation) {
      const placement = place(square, { ...FITTED, orientation }, viewport);
      const seen = seenEdgeLetters(letters, orientation);
      const leftEdge = screenFromImage(placement, { x: -0.5, y: 255.5 });
      const side = (["left", "right", "top", "bottom"] as const).find((name) => seen[name] === "R");
      const expected =
        Math.abs(leftEdge.x - 400) > Math.abs(leftEdge.y - 300)
          ? leftEdge.x < 400 ? "left" : "right"
          : leftEdge.y < 300 ? "top" : "bottom";
      expect(side).toBe(expected);
    }
  });
});
