import { describe, expect, it } from "vitest";
import type { Finding, FoundMark, MarkedView, StudyDetail } from "../api/types";
import { heatOn, marksOn, placeOfImage, standing, viewWords } from "./marks";

function mark(number: number, sop: string, slice: number, diameter: number): FoundMark {
  return {
    number, what: "mass", snomed: "1", sop_instance_uid: sop, center_px: [10, 20, slice], radius_px: [5, 5],
    diameter_mm: diameter, suspicion_percent: 80, level: 4, reader_level: null, levelled_by: null, levelled_at: null,
  };
}

const judged: MarkedView = {
  series_uid: "1", sop_class_uid: "2", sop_instance_uid: "1.1", view: "L CC", patient_orientation: ["A", "R"], score_percent: 81.4, not_judged: null,
  heat: { cell_px: [16, 16], from_percent: 10, cells: [[3, 4, 81]] },
};
const passedOver: MarkedView = { ...judged, sop_instance_uid: "1.2", view: "", score_percent: null, not_judged: "a breast implant is present", heat: null };

function finding(kind: string, marks: FoundMark[]): Finding {
  return { kind, marks: { marks, views: kind === "nodules" ? [] : [judged, passedOver] } } as unknown as Finding;
}

describe("marks", () => {
  it("of mammograms stand on their image only", () => {
    const one = finding("mammography", [mark(1, "1.1", 0, 12), mark(2, "1.3", 0, 12)]);
    expect(marksOn(one, "1.1", 0, null).map((found) => found.number)).toEqual([1]);
    expect(marksOn(one, "1.2", 0, null)).toEqual([]);
    expect(marksOn(null, "1.1", 0, null)).toEqual([]);
  });

  it("of a volume stand on every slice they reach", () => {
    const one = finding("nodules", [mark(1, "1.1", 10, 12), mark(2, "1.1", 10, 1)]);
    const on = (slice: number): number[] => marksOn(one, "", slice, 3).map((found) => found.number);
    expect([8, 10, 12].map(on)).toEqual([[1], [1, 2], [1]]);
    expect(on(13)).toEqual([]);
  });

  it("say where they stand", () => {
    expect(standing(finding("mammography", []), mark(1, "1.1", 0, 1))).toBe("L CC");
    expect(standing(finding("nodules", []), mark(1, "9", 6.7, 1))).toBe("slice 8");
  });
});

describe("images", () => {
  it("are found in any series of the study", () => {
    const study = { series: [{ uid: "a", stack: null }, { uid: "b", stack: { sop_instance_uids: ["1", "2"] } }] } as unknown as StudyDetail;
    expect(placeOfImage(study, "2")).toEqual({ series: "b", slice: 1 });
    expect(placeOfImage(study, "3")).toBeNull();
  });

  it("have heat or a reason", () => {
    const one = finding("mammography", []);
    expect(heatOn(one, "1.1")?.cells).toHaveLength(1);
    expect(heatOn(one, "1.2")).toBeNull();
    expect([judged, passedOver].map(viewWords)).toEqual(["81 of 100", "not judged: a breast implant is present"]);
  });
});
