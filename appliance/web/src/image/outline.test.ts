import { describe, expect, it } from "vitest";
import type { Run } from "../api/types";
import { boundsOfRuns, outlineOfRuns, runsContain, type Loop } from "./outline";

/** Shoelace formula; clockwise on the screen (y down) is positive. */
function area(loop: Loop): number {
  let twice = 0;
  loop.forEach(([x, y], index) => {
    const [nextX, nextY] = loop[(index + 1) % loop.length] ?? [x, y];
    twice += x * nextY - nextX * y;
  });
  return twice / 2;
}

const totalArea = (loops: Loop[]): number => loops.reduce((sum, loop) => sum + area(loop), 0);

describe("outline of runs", () => {
  it("of one pixel is its square around the pixel's centre", () => {
    const [loop, ...others] = outlineOfRuns([[7, 3, 1]]);
    expect(others).toEqual([]);
    expect(new Set(loop?.map(String))).toEqual(new Set(["2.5,6.5", "3.5,6.5", "3.5,7.5", "2.5,7.5"]));
  });

  it("merges straight stretches: a bar has four corners", () => {
    expect(outlineOfRuns([[0, 0, 5], [1, 0, 5]]).map((loop) => loop.length)).toEqual([4]);
  });

  it("encloses exactly the pixels it was given", () => {
    const runs: Run[] = [[0, 2, 1], [1, 1, 3], [2, 0, 5], [3, 1, 3]];
    expect(totalArea(outlineOfRuns(runs))).toBe(12);
  });

  it("gives a hole its own loop, turning the other way", () => {
    const ring: Run[] = [[0, 0, 3], [1, 0, 1], [1, 2, 1], [2, 0, 3]];
    const areas = outlineOfRuns(ring).map(area).sort((left, right) => left - right);
    expect(areas).toEqual([-1, 9]);
  });

  it("keeps pixels that touch only at a corner apart, without losing an edge", () => {
    const loops = outlineOfRuns([[0, 0, 1], [1, 1, 1]]);
    expect(loops.map(area)).toEqual([1, 1]);
  });

  it("ends on a large ragged lesion and stays exact", () => {
    let seed = 7;
    const random = (): number => (seed = (seed * 16807) % 2147483647) / 2147483647;
    const runs: Run[] = [];
    let pixels = 0;
    for (let row = 0; row < 60; row += 1) {
      let column = 0;
      while (column < 60) {
        const length = 1 + Math.floor(random() * 5);
        runs.push([row, column, length]);
        pixels += length;
        column += length + 1 + Math.floor(random() * 3);
      }
    }
    expect(totalArea(outlineOfRuns(runs))).toBe(pixels);
  });

  it("of nothing is nothing", () => {
    expect(outlineOfRuns([])).toEqual([]);
  });
});

it("bounds reach the pixels' outer edges", () => {
  expect(boundsOfRuns([[4, 10, 3], [5, 9, 1]])).toEqual({ left: 8.5, right: 12.5, top: 3.5, bottom: 5.5 });
});

it("finds a pixel in the runs, ends included and neighbours not", () => {
  const runs: Run[] = [[4, 10, 3]];
  expect([9, 10, 12, 13].map((column) => runsContain(runs, column, 4))).toEqual([false, true, true, false]);
  expect(runsContain(runs, 10, 5)).toBe(false);
});
