import { describe, expect, it } from "vitest";
import { firstFrames, headIn, united } from "./state";

describe("headIn", () => {
  it("is the box around what is denser than air, with a margin, inside the grid", () => {
    const images = new Int16Array(20 * 10).fill(-1000);
    images[4 * 20 + 7] = 40;
    images[6 * 20 + 19] = 900;
    expect(headIn(images, 20)).toEqual({ left: 5, top: 2, columns: 15, rows: 7 });
    expect(headIn(new Int16Array(200).fill(-1000), 20)).toBeNull();
  });

  it("grows with every slice", () => {
    const one = { left: 5, top: 2, columns: 4, rows: 4 };
    expect(united(one, { left: 3, top: 3, columns: 4, rows: 5 })).toEqual({ left: 3, top: 2, columns: 6, rows: 6 });
    expect(united(null, one)).toEqual(one);
  });
});

describe("firstFrames", () => {
  it("takes the first frame of each position", () => {
    const stack = { positions_mm: [0, 0, 0.01, 5, 5, 10] } as Parameters<typeof firstFrames>[0];
    expect(firstFrames(stack)).toEqual([0, 3, 5]);
  });
});
