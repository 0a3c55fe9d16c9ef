import { describe, expect, it } from "vitest";
import { SCALE, TISSUE, colorize, overlaid } from "./colors";

const channels = (word: number): number[] => [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24];

describe("colorize", () => {
  it("shows values beyond the ends as the ends and no value as black", () => {
    const out = new Uint32Array(5);
    colorize(Float32Array.from([-3, 0, 12, 40, Number.NaN]), [0, 12], out);
    expect([...out]).toEqual([SCALE[0], SCALE[0], SCALE[255], SCALE[255], 0xff000000]);
  });

  it("is opaque and turns from blue to red", () => {
    expect(channels(SCALE[0] ?? 0)).toEqual([24, 16, 72, 255]);
    expect(channels(SCALE[255] ?? 0)).toEqual([214, 40, 40, 255]);
  });
});

describe("overlaid", () => {
  it("puts core over hypoperfused tissue, and nothing when it is hidden", () => {
    const grey = Int16Array.from([40, 40, 40]);
    const tissue = Uint8Array.from([TISSUE.brain, TISSUE.brain | TISSUE.hypoperfused, TISSUE.core | TISSUE.hypoperfused]);
    const out = new Uint32Array(3);
    overlaid(grey, tissue, true, out);
    const [plain, late, core] = [...out].map(channels);
    expect(plain?.[0]).toBe(plain?.[1]);
    expect((late?.[1] ?? 0) > (late?.[0] ?? 0)).toBe(true);
    expect((core?.[0] ?? 0) > (core?.[1] ?? 0)).toBe(true);
    overlaid(grey, tissue, false, out);
    expect(new Set(out).size).toBe(1);
  });
});
