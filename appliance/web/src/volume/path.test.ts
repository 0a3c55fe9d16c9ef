import { describe, expect, it } from "vitest";
import { from, moved, rolled, turned } from "./eye";
import { lengthMm, longer, placed, POINTS_MAX, seen } from "./path";

const size = { width: 400, height: 200 };

describe("a path on planes", () => {
  it("is where the reader clicked, however the plane lies", () => {
    let eye = from("f", [10, -20, 30], 150);
    for (let step = 0; step < 12; step += 1) {
      eye = moved(rolled(turned(eye, 13, -7, size), 0.4), 5, -9, size);
      const at = { x: 31 * step, y: 17 * step };
      const back = seen(eye, placed(eye, at, size), size);
      expect([back.x, back.y, back.behindMm]).toEqual([expect.closeTo(at.x, 9), expect.closeTo(at.y, 9), expect.closeTo(0, 9)]);
    }
  });

  it("knows what lies behind the plane", () => {
    expect(seen(from("f", [0, 0, 0], 200), [10, 20, 5], size)).toEqual({ x: 210, y: 120, behindMm: 5 });
    expect(seen(from("h", [0, 0, 0], 200), [0, 0, 5], size).behindMm).toBe(-5);
  });

  it("has an end and a length", () => {
    let path = longer([], [0, 0, 0]);
    for (let step = 1; step < 2 * POINTS_MAX; step += 1) path = longer(path, [0, 3 * step, 4 * step]);
    expect(path).toHaveLength(POINTS_MAX);
    expect(lengthMm(path)).toBeCloseTo(5 * (POINTS_MAX - 1), 9);
    expect(lengthMm([])).toBe(0);
  });
});
