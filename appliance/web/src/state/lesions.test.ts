import { describe, expect, it } from "vitest";
import type { Finding, Lesion, Run } from "../api/types";
import { bestSlice, markAt, marksOf, neighbour } from "./lesions";

function lesion(number: number, cuts: [slice: number, area: number, runs: Run[]][]): Lesion {
  return {
    number,
    peak_hu: 400,
    volume_mm3: 10,
    agatston: 40,
    mass_mg: null,
    center_px: [5, 5, 2.4],
    bounds_px: [[5, 5, 2], [7, 5, 3]],
    vessel: null,
    proposed: null,
    proposed_or: [],
    assigned_by: null,
    assigned_at: null,
    slices: cuts.map(([slice, area_mm2, runs]) => ({ slice, area_mm2, peak_hu: 300, weight: 3, agatston: 3, hounsfield_sum: 900, runs })),
  };
}

const lesions = [
  lesion(1, [[2, 4, [[5, 5, 2]]], [3, 9, [[5, 5, 3]]]]),
  lesion(2, [[3, 1, [[9, 9, 1]]]]),
];
const finding = { lesions } as unknown as Finding;

describe("marks", () => {
  it("are found by slice, with every lesion cut there", () => {
    const marks = marksOf(finding);
    expect([...marks.keys()].sort()).toEqual([2, 3]);
    expect(marks.get(3)?.map((mark) => mark.lesion.number)).toEqual([1, 2]);
    expect(marks.get(3)?.[0]?.bounds).toEqual({ left: 4.5, right: 7.5, top: 4.5, bottom: 5.5 });
  });

  it("are built once per finding", () => {
    expect(marksOf(finding)).toBe(marksOf(finding));
    expect(marksOf(null).size).toBe(0);
  });

  it("answer which lesion lies under a pixel of the slice", () => {
    const here = marksOf(finding).get(3) ?? [];
    expect(markAt(here, 7, 5)?.lesion.number).toBe(1);
    expect(markAt(here, 9, 9)?.lesion.number).toBe(2);
    expect(markAt(here, 8, 5)).toBeNull();
  });
});

describe("going from lesion to lesion", () => {
  it("goes round in both directions and starts at either end", () => {
    expect(neighbour(lesions, null, 1)?.number).toBe(1);
    expect(neighbour(lesions, null, -1)?.number).toBe(2);
    expect(neighbour(lesions, 2, 1)?.number).toBe(1);
    expect(neighbour(lesions, 1, -1)?.number).toBe(2);
    expect(neighbour([], null, 1)).toBeNull();
  });

  it("shows the slice with the largest area", () => {
    expect(lesions.map(bestSlice)).toEqual([3, 3]);
  });
});
