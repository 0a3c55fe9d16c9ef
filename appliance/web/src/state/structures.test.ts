import { describe, expect, it } from "vitest";
import { coloured, hiddenLabels, LABEL_COLOURS, toggleLabel } from "./structures";

describe("structures over the image", () => {
  it("colours what is shown and leaves the rest clear", () => {
    const pixels = coloured(new Uint8Array([0, 1, 2, 5, 6]), new Set([6]));
    expect([...pixels.subarray(0, 8)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect([...pixels.subarray(8, 12)]).toEqual([...(LABEL_COLOURS[2] ?? []), 96]);
    expect(pixels[15]).toBe(96);
    expect([...pixels.subarray(16, 20)]).toEqual([0, 0, 0, 0]);
  });

  it("shows fat and lean tissue only where a reader asks for them", () => {
    expect([...hiddenLabels.value]).toEqual([6, 7]);
    toggleLabel(6);
    toggleLabel(2);
    expect([...hiddenLabels.value].sort()).toEqual([2, 7]);
    toggleLabel(6);
    toggleLabel(2);
  });
});
