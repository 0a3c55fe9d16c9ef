import { describe, expect, it } from "vitest";
import { labelBounds, labelPlaces, overlap } from "./label-places";
import type { Bounds } from "./outline";

const label = { width: 22, height: 18 };
const viewport = { width: 400, height: 400 };
const box = (left: number, top: number, size = 20): Bounds => ({ left, top, right: left + size, bottom: top + size });

describe("label places", () => {
  it("lie beside the lesion, up to the right when there is room", () => {
    const [place] = labelPlaces([box(200, 200)], label, viewport);
    expect(place?.x).toBeGreaterThan(220);
    expect(place?.y).toBeLessThan(200);
  });

  it("never cover a lesion or another label, however crowded", () => {
    const boxes = Array.from({ length: 9 }, (_, index) => box(120 + (index % 3) * 34, 120 + Math.floor(index / 3) * 34));
    const labels = labelPlaces(boxes, label, viewport).flatMap((place) => (place === null ? [] : [labelBounds(place, label)]));
    expect(labels.length).toBeGreaterThanOrEqual(8);
    labels.forEach((one, index) => {
      expect(boxes.some((lesion) => overlap(one, lesion))).toBe(false);
      expect(labels.some((other, at) => at !== index && overlap(one, other))).toBe(false);
    });
  });

  it("stay on the screen in a corner and are left out for lesions off it", () => {
    const [corner, off] = labelPlaces([box(385, 2), box(900, 900)], label, viewport);
    expect(off).toBeNull();
    const bounds = labelBounds(corner ?? { x: -1, y: -1 }, label);
    expect(bounds.left).toBeGreaterThanOrEqual(0);
    expect(bounds.right).toBeLessThanOrEqual(400);
    expect(bounds.top).toBeGreaterThanOrEqual(0);
  });
});
