import { describe, expect, it } from "vitest";
import type { Finding, PhaseContours } from "../api/types";
import { bordersAt, canEdit, gripAt, imageAt, isDirty, moved, placeOfImage, redrawn, spaced, type Session } from "./contours";

const square: [number, number][] = [[10, 10], [20, 10], [20, 20], [10, 20]];
const slice = (uid: string): PhaseContours["slices"][number] => ({
  sop_instance_uid: uid, endocardium: square, epicardium: [], cavity_mm2: 100, muscle_mm2: 0, edited: false,
});
const phases: PhaseContours[] = [0, 1].map((phase) => ({
  phase, columns: 64, rows: 64, slices: [slice(`0.${phase}`), slice(`1.${phase}`)],
}));
const session: Session = { finding: {} as Finding, phases, changed: new Map(), edPhase: null, esPhase: null };

describe("a session with contours", () => {
  it("knows which slice and phase an image is", () => {
    expect(placeOfImage(phases, "1.1")).toEqual({ slice: 1, phase: 1 });
    expect(placeOfImage(phases, "7")).toBeNull();
    expect(imageAt(phases, { slice: 1, phase: 0 })).toBe("1.0");
    expect(imageAt(phases, { slice: 2, phase: 0 })).toBeNull();
  });

  it("takes the nearest point within reach and moves that one on that image only", () => {
    const place = { slice: 1, phase: 0 };
    expect(gripAt(session, place, { x: 30, y: 30 }, 5)).toBeNull();
    const grip = gripAt(session, place, { x: 19, y: 12 }, 5);
    expect(grip).toEqual({ slice: 1, phase: 0, border: "endocardium", index: 1 });
    if (grip === null) return;
    const after = moved(session, grip, { x: 24.004, y: 9 });
    expect(bordersAt(after, place).endocardium).toEqual([[10, 10], [24, 9], [20, 20], [10, 20]]);
    expect(bordersAt(after, { slice: 0, phase: 0 }).endocardium).toEqual(square);
    expect(bordersAt(session, place).endocardium).toEqual(square);
    expect([isDirty(session), isDirty(after)]).toEqual([false, true]);
  });

  it("draws a border anew from a path and leaves it alone where the path is a click", () => {
    const place = { slice: 0, phase: 1 };
    const path = Array.from({ length: 200 }, (_, step) => {
      const angle = (step / 200) * 2 * Math.PI;
      return { x: 30 + 12 * Math.cos(angle), y: 30 + 12 * Math.sin(angle) };
    });
    const points = bordersAt(redrawn(session, place, "epicardium", path), place).epicardium;
    expect(points.length).toBe(19);
    for (const [x, y] of points) expect(Math.hypot(x - 30, y - 30)).toBeCloseTo(12, 1);
    expect(redrawn(session, place, "epicardium", [{ x: 1, y: 1 }])).toBe(session);
  });

  it("spaces points evenly and never many", () => {
    const large = [{ x: 0, y: 0 }, { x: 400, y: 0 }, { x: 400, y: 400 }, { x: 0, y: 400 }];
    const points = spaced(large);
    expect(points.length).toBe(40);
    expect(points[10]).toEqual([400, 0]);
  });
});

describe("what may be changed", () => {
  const finding = (state: string, contours: unknown): Finding => ({ state, cardiac: { contours } }) as unknown as Finding;
  it("is a ventricle with contours that stands or waits for them", () => {
    expect(canEdit(finding("preliminary", {}))).toBe(true);
    expect(canEdit(finding("not_applicable", {}))).toBe(true);
    expect(canEdit(finding("superseded", {}))).toBe(false);
    expect(canEdit(finding("preliminary", null))).toBe(false);
    expect(canEdit({ state: "preliminary", cardiac: null } as unknown as Finding)).toBe(false);
  });
});
