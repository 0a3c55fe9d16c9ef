import { describe, expect, it } from "vitest";
import type { Finding, Lesion, Vessel } from "../api/types";
import { isCounted, nextUnassigned, PLACES, unassigned } from "./vessels";

const lesion = (number: number, vessel: Vessel | null, proposed: Vessel | null = null): Lesion => ({ number, vessel, proposed }) as Lesion;
const finding = (...lesions: Lesion[]): Finding => ({ lesions }) as unknown as Finding;

describe("places", () => {
  it("count what CAC-DRS counts and nothing else", () => {
    expect(PLACES.filter((place) => place.counted).map((place) => place.name)).toEqual(["LM", "LAD", "LCX", "RCA"]);
  });
});

describe("a lesion", () => {
  it("counts until a reader says that it is not coronary, whatever is proposed", () => {
    expect(isCounted(lesion(1, null, "aorta"))).toBe(true);
    expect(isCounted(lesion(1, "lad"))).toBe(true);
    expect(isCounted(lesion(1, "valve"))).toBe(false);
  });
});

describe("going through the lesions", () => {
  const half = finding(lesion(1, "lad"), lesion(2, null, "rca"), lesion(3, "rca"), lesion(4, null));

  it("goes on to the next one without a vessel, round and round, and ends when there is none", () => {
    expect(nextUnassigned(half, 2)?.number).toBe(4);
    expect(nextUnassigned(half, 4)?.number).toBe(2);
    expect(nextUnassigned(half, 1)?.number).toBe(2);
    expect(nextUnassigned(finding(lesion(1, null)), 1)).toBeNull();
  });

  it("knows what is left, proposed or not", () => {
    expect(unassigned(half).map((one) => one.number)).toEqual([2, 4]);
  });
});
