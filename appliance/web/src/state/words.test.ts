import { describe, expect, it } from "vitest";
import { activityWords, date, number, personName, score, time, unit } from "./words";

describe("words", () => {
  it("writes DICOM names as people do", () => {
    expect(personName("Berg^Eva^Maria")).toBe("Berg, Eva Maria");
    expect(personName("Yamada^Tarou=山田^太郎")).toBe("Yamada, Tarou");
    expect(personName("PHANTOM")).toBe("PHANTOM");
    expect(personName("^^")).toBe("No name");
  });

  it("reads DICOM and ISO dates and times", () => {
    expect(date("20250131")).toBe("2025-01-31");
    expect(date("2025-01-31")).toBe("2025-01-31");
    expect(date("winter")).toBe("winter");
    expect(time("101530.000000")).toBe("10:15");
    expect(time(null)).toBe("");
  });

  it("keeps digits that matter", () => {
    expect([0, 0.421, 7.34, 20, 45.67, 412.4, 1203.6, 1234567].map(number)).toEqual([
      "0", "0.42", "7.34", "20", "45.7", "412", "1204", "1234567",
    ]);
    expect(number(Number.NaN)).toBe("–");
  });

  it("never rounds a small score down to nothing", () => {
    expect([0, 0.4, 9.96, 10.4, 412.5].map(score)).toEqual(["0", "0.4", "10", "10", "413"]);
  });

  it("writes units as readers do and leaves out UCUM's annotations", () => {
    expect(["mm3", "mm2", "1", "{lesions}", "mm", "[hnsf'U]"].map(unit)).toEqual(["mm³", "mm²", "", "", "mm", "HU"]);
  });

  it("says what the box is doing", () => {
    expect(activityWords({ state: "receiving", stage: "", percent: null }, 1)).toBe("Receiving, 1 image");
    expect(activityWords({ state: "running", stage: "scoring calcium", percent: 41.6 }, 47)).toBe("Scoring calcium 42 %");
  });
});
