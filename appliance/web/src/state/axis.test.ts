import { describe, expect, it } from "vitest";
import type { Finding, SeriesSummary } from "../api/types";
import { canCut, endsOn, withEnd, type AxisPoint } from "./axis";

const point = (seriesUid: string, sopInstanceUid: string): AxisPoint => ({ seriesUid, sopInstanceUid, image: 3, x: 10, y: 20 });
const none = { base: null, apex: null };

describe("the heart's axis", () => {
  it("has both ends in one series", () => {
    const base = withEnd(none, "base", point("1", "1.1"));
    const both = withEnd(base, "apex", point("1", "1.2"));
    expect([both.base?.sopInstanceUid, both.apex?.sopInstanceUid]).toEqual(["1.1", "1.2"]);
    expect(withEnd(both, "apex", point("2", "2.2")).base).toBeNull();
  });

  it("is drawn on the image it was set on", () => {
    const base = withEnd(none, "base", point("1", "1.1"));
    expect(endsOn(base, "1.1")).toEqual([{ end: "base", at: { x: 10, y: 20 } }]);
    expect(endsOn(base, "1.2")).toEqual([]);
  });

  it("is set on CT that was not cut already", () => {
    const series = { uid: "1", modality: "CT", description: "Heart" } as SeriesSummary;
    const finding = { cardiac: {}, series_uid: "1" } as Finding;
    expect(canCut(finding, series)).toBe(true);
    expect(canCut(finding, { ...series, modality: "MR" })).toBe(false);
    expect(canCut(finding, { ...series, description: "Short axis, cut by Sidelight" })).toBe(false);
    expect(canCut({ ...finding, cardiac: null }, series)).toBe(false);
  });
});
