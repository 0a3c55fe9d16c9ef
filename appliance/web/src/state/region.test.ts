import { describe, expect, it } from "vitest";
import { drawn, hasArea, radiusMm, shapeOf, type DraftShape } from "./region";

describe("drawing a region", () => {
  it("takes the drag's length as the circle's radius", () => {
    const circle = drawn({ shape: "circle", center: { x: 100, y: 50 }, radius: 0 }, { x: 103, y: 46 });
    expect(circle).toEqual({ shape: "circle", center: { x: 100, y: 50 }, radius: 5 });
  });

  it("does not take a click for a region", () => {
    expect(hasArea({ shape: "circle", center: { x: 1, y: 1 }, radius: 0.4 })).toBe(false);
    expect(hasArea({ shape: "polygon", points: [{ x: 0, y: 0 }, { x: 9, y: 0 }] })).toBe(false);
    expect(hasArea({ shape: "polygon", points: [{ x: 0, y: 0 }, { x: 9, y: 0 }, { x: 18, y: 0 }] })).toBe(false);
    expect(hasArea({ shape: "polygon", points: [{ x: 0, y: 0 }, { x: 9, y: 0 }, { x: 9, y: 9 }] })).toBe(true);
  });

  it("keeps a freehand outline finite and without doubled points", () => {
    let figure: DraftShape = { shape: "polygon", points: [{ x: 0, y: 0 }] };
    figure = drawn(figure, { x: 0.1, y: 0 });
    expect(figure).toEqual({ shape: "polygon", points: [{ x: 0, y: 0 }] });
    for (let step = 1; step < 5000; step += 1) figure = drawn(figure, { x: step, y: 0 });
    expect(figure.shape === "polygon" && figure.points.length).toBe(2000);
  });

  it("is sent in tenths of a pixel with its slices in order", () => {
    const figure: DraftShape = { shape: "circle", center: { x: 10.26, y: 20.04 }, radius: 20.0001 };
    expect(shapeOf({ figure, complete: true, first: 9, last: 4 })).toEqual({
      shape: "circle", center_px: [10.3, 20], radius_px: 20, first_slice: 4, last_slice: 9,
    });
  });

  it("has no radius in millimetres where pixels are oblong or of unknown size", () => {
    expect(radiusMm(20, { column_spacing_mm: 0.5, row_spacing_mm: 0.5 })).toBe(10);
    expect(radiusMm(20, { column_spacing_mm: 0.5, row_spacing_mm: 1 })).toBeNull();
    expect(radiusMm(20, { column_spacing_mm: null, row_spacing_mm: null })).toBeNull();
  });
});
