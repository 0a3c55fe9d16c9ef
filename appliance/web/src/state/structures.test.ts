import { describe, expect, it } from "vitest";
import type { Finding } from "../api/types";
import { coloured, hiddenOf, isHidden, paletteOf, toggleLabel } from "./structures";

function finding(kind: string, network: string | null, labels: [number, number[] | null][]): Finding {
  const found = labels.map(([label, colour]) => ({ label, name: `label ${label}`, volume_ml: 1, voxels: 1, colour, code: null }));
  return { kind, network, structures: { found } } as unknown as Finding;
}

const chest = finding("structures", null, [[1, null], [2, [1, 2, 3]], [5, [4, 5, 6]], [6, [7, 8, 9]], [7, [9, 9, 9]]]);
const organs = finding("segmentation", "organs", [[1, [10, 20, 30]], [6, [40, 50, 60]]]);

describe("structures over the image", () => {
  it("colours what is shown and leaves the rest clear", () => {
    const pixels = coloured(new Uint8Array([0, 1, 2, 5, 6]), paletteOf(chest));
    expect([...pixels.subarray(0, 8)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect([...pixels.subarray(8, 16)]).toEqual([1, 2, 3, 96, 4, 5, 6, 96]);
    expect([...pixels.subarray(16, 20)]).toEqual([0, 0, 0, 0]);
    const labelled = coloured(new Uint8Array([1, 6]), paletteOf(organs));
    expect([...labelled]).toEqual([10, 20, 30, 96, 40, 50, 60, 96]);
  });

  it("shows fat and lean tissue only where a reader asks for them, and each finding's labels by themselves", () => {
    expect(hiddenOf(chest)).toEqual([6, 7]);
    expect(hiddenOf(organs)).toEqual([]);
    toggleLabel(chest, 6);
    toggleLabel(organs, 1);
    expect(hiddenOf(chest)).toEqual([7]);
    expect(hiddenOf(organs)).toEqual([1]);
    expect(isHidden(chest, 1)).toBe(false);
    toggleLabel(chest, 6);
    toggleLabel(organs, 1);
    expect(hiddenOf(chest)).toEqual([6, 7]);
  });
});
