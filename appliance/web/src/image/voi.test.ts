import { describe, expect, it } from "vitest";
import { applyLookup, draggedWindow, greyFromValue, lookupTable, LOOKUP_OFFSET, PRESETS, windowOfExtremes } from "./voi";

const grey = (table: Uint32Array, value: number): number => (table[value + LOOKUP_OFFSET] ?? -1) & 0xff;

describe("VOI LINEAR (PS3.3 C.11.2.1.2.1)", () => {
  it("matches the standard's worked example: centre 2048, width 4096 maps 0..4095 onto the whole range", () => {
    const window = { center: 2048, width: 4096 };
    expect(greyFromValue(0, window)).toBe(0);
    expect(greyFromValue(4095, window)).toBe(255);
    expect(greyFromValue(1, window)).toBeCloseTo(255 / 4095, 12);
  });

  it("matches the standard's second example: centre 0, width 100 spans -50 to 49", () => {
    const window = { center: 0, width: 100 };
    expect(greyFromValue(-50, window)).toBe(0);
    expect(greyFromValue(-49, window)).toBeCloseTo(255 / 99, 12);
    expect(greyFromValue(49, window)).toBe(255);
    expect(greyFromValue(48, window)).toBeCloseTo((255 * 98) / 99, 12);
  });

  it("is a pure threshold at width 1: centre 0 is black up to -1 and white from 0", () => {
    const table = lookupTable({ center: 0, width: 1 }, false);
    expect(grey(table, -1)).toBe(0);
    expect(grey(table, 0)).toBe(255);
  });

  it.each(PRESETS.map((preset) => [preset.name, preset] as const))("%s never gets darker as values rise", (_, preset) => {
    const table = lookupTable(preset, false);
    for (let value = -32768; value < 32767; value += 1) {
      if (grey(table, value) > grey(table, value + 1)) expect.fail(`falls at ${value}`);
    }
    expect(grey(table, -32768)).toBe(0);
    expect(grey(table, 32767)).toBe(255);
  });

  it("covers every int16 value with an opaque pixel and inverts exactly", () => {
    const plain = lookupTable(PRESETS[0] ?? { center: 0, width: 1 }, false);
    const inverted = lookupTable(PRESETS[0] ?? { center: 0, width: 1 }, true);
    for (let index = 0; index < 65536; index += 1) {
      const sum = ((plain[index] ?? 0) & 0xff) + ((inverted[index] ?? 0) & 0xff);
      if (sum !== 255 || (plain[index] ?? 0) >>> 24 !== 255) expect.fail(`entry ${index}`);
    }
    expect(grey(inverted, -1000)).toBe(255);
  });

  it("tells the four Agatston weights and soft tissue apart in the calcium preset", () => {
    const calcium = PRESETS.find((preset) => preset.name === "Calcium");
    if (calcium === undefined) return expect.fail("no calcium preset");
    const levels = [50, 130, 200, 300, 400].map((value) => greyFromValue(value, calcium));
    for (let index = 1; index < levels.length; index += 1) {
      expect((levels[index] ?? 0) - (levels[index - 1] ?? 0)).toBeGreaterThan(30);
    }
    expect(levels[4]).toBeLessThan(255);
  });

  it("paints pixels through the table, extremes included", () => {
    const table = lookupTable({ center: 40, width: 400 }, false);
    const out = new Uint32Array(4);
    applyLookup(Int16Array.from([-32768, -160, 40, 32767]), table, out);
    // 40 is half a value above the centre line center - 0.5: (0.5/399 + 0.5) * 255 = 127.8
    expect([...out].map((pixel) => pixel & 0xff)).toEqual([0, 0, 128, 255]);
  });
});

describe("windows without a preset", () => {
  it("show the darkest value black and the brightest white", () => {
    const window = windowOfExtremes(Int16Array.from([12, 500, -3]));
    expect(greyFromValue(-3, window)).toBe(0);
    expect(greyFromValue(500, window)).toBe(255);
    expect(greyFromValue(499, window)).toBeLessThan(255);
  });

  it("survive a constant image", () => {
    const window = windowOfExtremes(Int16Array.from([7, 7]));
    expect(window.width).toBe(1);
    expect(Number.isFinite(greyFromValue(7, window))).toBe(true);
  });

  it("never leave the allowed widths when dragged", () => {
    expect(draggedWindow({ center: 40, width: 3 }, -1000, 0).width).toBe(1);
    expect(draggedWindow({ center: 40, width: 60000 }, 1e6, 0).width).toBe(65536);
    expect(draggedWindow({ center: 40, width: 400 }, 10, -5)).toEqual({ width: 410, center: 35 });
  });
});
