import { describe, expect, it } from "vitest";
import { cross, deeper, dot, from, letters, moved, nearer, opposite, rolled, turned, type Eye, type Side } from "./eye";

const size = { width: 400, height: 200 };
const start = (side: Side): Eye => from(side, [10, 20, 30], 100);

/** Where a point of the patient is in the picture, pixels from its middle. */
function seen(eye: Eye, point: readonly [number, number, number]): [number, number] {
  const offset = [point[0] - eye.center[0], point[1] - eye.center[1], point[2] - eye.center[2]] as const;
  const scale = size.height / eye.heightMm;
  return [dot(offset, eye.right) * scale, dot(offset, eye.down) * scale];
}

describe("the eye", () => {
  it("stands where the letter says, and the edges say where that is", () => {
    const edges = (side: Side): string[] => {
      const eye = start(side);
      return [opposite(eye.right), eye.right, opposite(eye.down), eye.down, eye.into].map(letters);
    };
    expect(edges("a")).toEqual(["R", "L", "H", "F", "P"]);
    expect(edges("p")).toEqual(["L", "R", "H", "F", "A"]);
    expect(edges("l")).toEqual(["A", "P", "H", "F", "R"]);
    expect(edges("r")).toEqual(["P", "A", "H", "F", "L"]);
    expect(edges("h")).toEqual(["L", "R", "A", "P", "F"]);
    expect(edges("f")).toEqual(["R", "L", "A", "P", "H"]);
    expect(letters([0.8, 0.6, 0])).toBe("LP");
  });

  it("keeps its directions square however long it is turned", () => {
    let eye = start("a");
    for (let turn = 0; turn < 2000; turn += 1) eye = turned(eye, (turn * 37) % 50, 25 - ((turn * 17) % 50), size);
    for (const [a, b] of [["right", "down"], ["down", "into"], ["into", "right"]] as const) {
      expect(dot(eye[a], eye[b])).toBeCloseTo(0, 9);
      expect(dot(eye[a], eye[a])).toBeCloseTo(1, 9);
    }
    expect(dot(cross(eye.right, eye.down), eye.into)).toBeCloseTo(1, 9);
  });

  it("lets the near side follow the hand, and turns half around over the picture's height", () => {
    const eye = start("a");
    // Nearer to the reader than the middle.
    const near: [number, number, number] = [10, 20 - 5, 30];
    const [x, y] = seen(turned(eye, 20, 0, size), near);
    expect(x).toBeGreaterThan(0);
    expect(y).toBeCloseTo(0, 9);
    expect(seen(turned(eye, 0, 20, size), near)[1]).toBeGreaterThan(0);
    expect(letters(turned(eye, size.height, 0, size).into)).toBe("A");
  });

  it("zooms about the pointer and moves with it", () => {
    const eye = start("l");
    const at = { x: 300, y: 50 };
    const point = moved(eye, -(at.x - 200), -(at.y - 100), size).center;
    const zoomed = nearer(eye, 2, at, size);
    expect(zoomed.heightMm).toBe(50);
    const [x, y] = seen(zoomed, point);
    expect([x + 200, y + 100]).toEqual([expect.closeTo(300, 9), expect.closeTo(50, 9)]);
    const [dx, dy] = seen(moved(eye, 12, -7, size), eye.center);
    expect([dx, dy]).toEqual([expect.closeTo(12, 9), expect.closeTo(-7, 9)]);
    expect(nearer(eye, 1e9, at, size).heightMm).toBeGreaterThan(0);
  });

  it("goes through planes along the line of sight and rolls in the picture", () => {
    expect(deeper(start("f"), 5).center).toEqual([10, 20, 35]);
    const eye = rolled(start("f"), Math.PI / 2);
    expect(letters(eye.into)).toBe("H");
    // Clockwise: what was at the top is on the right.
    expect(letters(eye.right)).toBe("A");
  });
});
