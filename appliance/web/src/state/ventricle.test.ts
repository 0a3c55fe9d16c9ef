import { describe, expect, it } from "vitest";
import type { Finding, Ventricle } from "../api/types";
import { contoursOf, curveOf } from "./ventricle";

const ventricle: Ventricle = {
  model: { name: "m", version: "1", sha256: "", manifest_sha256: "", provider: "cpu", statement: "trained on nobody", from_cache: false },
  slice_distance_mm: 8,
  trigger_ms: [0, 40, 80, 120],
  cavity_ml: [100, 60, 40, 80],
  ed_phase: 0,
  es_phase: 2,
  chosen: { ed: null, es: null },
  contours: null,
  slices: [
    {
      ed: { sop_instance_uid: "1.1", cavity: [[5, 5, 2]], muscle: [[4, 5, 2]] },
      es: { sop_instance_uid: "1.2", cavity: [], muscle: [] },
    },
  ],
};

describe("contours", () => {
  const finding = { cardiac: ventricle } as unknown as Finding;

  it("are found by the image they belong to", () => {
    const contours = contoursOf(finding);
    expect(contours.get("1.1")?.cavity).toHaveLength(1);
    expect(contours.get("1.2")?.cavity).toEqual([]);
    expect(contours.get("1.3")).toBeUndefined();
    expect(contoursOf(finding)).toBe(contours);
  });

  it("do not exist where no ventricle was measured", () => {
    expect(contoursOf(null).size).toBe(0);
    expect(contoursOf({ cardiac: null } as unknown as Finding).size).toBe(0);
  });
});

describe("the volume curve", () => {
  it("begins at zero and marks both extremes", () => {
    const curve = curveOf(ventricle, 300, 100);
    expect(curve?.top_ml).toBe(100);
    expect(curve?.ed).toEqual({ x: 0, y: 0 });
    expect(curve?.es).toEqual({ x: 200, y: 60 });
    expect(curve?.path).toBe("M0.0 0.0L100.0 40.0L200.0 60.0L300.0 20.0");
  });

  it("joins the phases that somebody drew", () => {
    expect(curveOf({ ...ventricle, cavity_ml: [100, null, 40, null] }, 300, 100)?.path).toBe("M0.0 0.0L200.0 60.0");
    expect(curveOf({ ...ventricle, cavity_ml: [null, 100, null, null] }, 300, 100)).toBeNull();
  });

  it("is left out where there is nothing to draw", () => {
    expect(curveOf({ ...ventricle, cavity_ml: [] }, 300, 100)).toBeNull();
    expect(curveOf({ ...ventricle, cavity_ml: [0, 0] }, 300, 100)).toBeNull();
  });
});
