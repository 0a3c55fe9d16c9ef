import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Finding } from "../api/types";
import { findings } from "./opened";
import { endPreview, followChosenFinding, moveThreshold, preview, wanted } from "./threshold";

const finding = (id: string): Finding =>
  ({ id, study_uid: "1.2", state: "preliminary", scope: { kind: "automatic" }, lesions: [{}], calcium: { scoring: { starts_hu: [130, 200, 300, 400] } } }) as unknown as Finding;

/** Answers are given by hand, in the order of the questions. */
function box() {
  const asked: { threshold: number; answer: (status?: number) => void }[] = [];
  vi.stubGlobal("fetch", (path: string) => {
    const threshold = Number(/threshold_hu=(\d+)/.exec(path)?.[1]);
    return new Promise((resolve) => {
      asked.push({
        threshold,
        answer: (status = 200) => {
          resolve(new Response(JSON.stringify({ threshold_hu: threshold, lesions: [] }), { status }));
        },
      });
    });
  });
  return asked;
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

beforeEach(() => {
  findings.value = [finding("a")];
  endPreview();
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("the threshold slider", () => {
  it("asks for one threshold at a time and never for those it passed over", async () => {
    const asked = box();
    for (const threshold of [120, 110, 100, 90]) moveThreshold(threshold);
    expect(asked.map((one) => one.threshold)).toEqual([120]);
    asked[0]?.answer();
    await vi.waitFor(() => { expect(asked).toHaveLength(2); });
    expect(asked[1]?.threshold).toBe(90);
    asked[1]?.answer();
    await vi.waitFor(() => { expect(preview.value?.threshold_hu).toBe(90); });
  });

  it("asks again where the box computed for somebody else", async () => {
    const asked = box();
    moveThreshold(80);
    asked[0]?.answer(409);
    await vi.waitFor(() => { expect(asked).toHaveLength(2); });
    asked[1]?.answer();
    await vi.waitFor(() => { expect(preview.value?.threshold_hu).toBe(80); });
  });

  it("shows nothing that comes after it went back to the standard", async () => {
    const asked = box();
    moveThreshold(80);
    moveThreshold(130);
    asked[0]?.answer();
    await settled();
    expect([wanted.value, preview.value]).toEqual([null, null]);
  });

  it("ends with the finding it belongs to", async () => {
    followChosenFinding();
    const asked = box();
    moveThreshold(80);
    asked[0]?.answer();
    await vi.waitFor(() => { expect(preview.value?.threshold_hu).toBe(80); });
    findings.value = [finding("b")];
    expect([wanted.value, preview.value]).toEqual([null, null]);
  });
});
