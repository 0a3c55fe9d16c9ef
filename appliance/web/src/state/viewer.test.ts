import { beforeAll, beforeEach, expect, it, vi } from "vitest";
import type { Finding, Stack, StudyDetail } from "../api/types";
import { findings, findingsLoaded, study } from "./opened";
import { followOpenedSeries, goTo, isCurrent, shown, slice, stepDown, voiWindow } from "./viewer";

/** The box: answers every frame with its index in that stack as the one pixel value. */
const asked: string[] = [];
vi.stubGlobal("fetch", (path: string) => {
  asked.push(path);
  const frame = Number(/(\d+)\.i16\?/.exec(path)?.[1]);
  return Promise.resolve(new Response(Int16Array.from([frame]).buffer));
});

function opened(uids: string[], changes: Partial<Stack> = {}): StudyDetail {
  const stack: Stack = {
    columns: 1, rows: 1, frames: uids.length, column_spacing_mm: 1, row_spacing_mm: 1, slice_increment_mm: 1, unit: "HU", digest: uids.join("-"),
    window: null, photometric: "MONOCHROME2", even: true, sop_instance_uids: uids, positions_mm: uids.map((_, index) => index),
    edge_letters: null, ...changes,
  };
  const series = [{ uid: "s.1", modality: "CT", number: 1, description: "", instance_count: 1, frame_count: 1, stack, stack_problem: null }];
  return { uid: "1.2", series } as unknown as StudyDetail;
}

const arrived = (): Promise<void> => vi.waitFor(() => { expect(shown.value?.slice).toBe(slice.value); });

beforeAll(followOpenedSeries);
beforeEach(() => {
  study.value = null;
  findings.value = [];
  findingsLoaded.value = false;
  asked.length = 0;
});

it("opens in the middle and asks for that frame first", async () => {
  study.value = opened(["a", "b", "c", "d", "e"]);
  await arrived();
  expect(slice.value).toBe(2);
  expect(asked[0]).toBe("/api/studies/1.2/series/s.1/frames/2.i16?stack=a-b-c-d-e");
  expect(shown.value?.pixels[0]).toBe(2);
});

it("stays on the same image when slices arrive below it, with that image's new pixels", async () => {
  study.value = opened(["c", "d", "e"]);
  goTo(1);
  await arrived();
  study.value = opened(["a", "b", "c", "d", "e"]);
  await vi.waitFor(() => { expect(shown.value?.stack.frames).toBe(5); });
  expect(slice.value).toBe(3);
  expect(shown.value?.pixels[0]).toBe(3);
});

it("keeps what is drawn and what is written about it together while the next frame is on its way", async () => {
  study.value = opened(["a", "b", "c"]);
  await arrived();
  goTo(2);
  const before = shown.value;
  expect(before?.pixels[0]).toBe(before?.slice);
  await arrived();
  expect(shown.value?.pixels[0]).toBe(2);
});

it("does not fetch again when a change leaves the images alone", async () => {
  study.value = opened(["a", "b", "c"]);
  await arrived();
  await vi.waitFor(() => { expect(asked.length).toBe(3); });
  study.value = { ...opened(["a", "b", "c"]), headline: null };
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(asked.length).toBe(3);
  expect(shown.value !== null && isCurrent(shown.value)).toBe(true);
});

const scored = (slices: number[]): Finding => ({
  id: "f", series_uid: "s.1", state: "preliminary", scope: { kind: "automatic", rule: "" }, superseded_by: null,
  lesions: [{ number: 1, center_px: [0, 0, 0], slices: slices.map((at) => ({ slice: at, area_mm2: at, runs: [[0, 0, 1]] })) }],
}) as unknown as Finding;

it("opens a scored study where its largest lesion is largest", async () => {
  study.value = opened(["a", "b", "c", "d", "e"]);
  findings.value = [scored([3, 4])];
  findingsLoaded.value = true;
  await vi.waitFor(() => { expect(shown.value?.slice).toBe(4); });
});

it("never moves a reader who has already begun to scroll, nor one who waits for the first result", async () => {
  study.value = opened(["a", "b", "c", "d", "e"]);
  goTo(1);
  findings.value = [scored([4])];
  findingsLoaded.value = true;
  await arrived();
  expect(slice.value).toBe(1);

  study.value = null;
  findings.value = [];
  study.value = opened(["a", "b", "c", "d", "e"]);
  await arrived();
  findings.value = [scored([4])];
  await arrived();
  expect(slice.value).toBe(2);
});

it("does not take a grown stack's indices for those of the image still on the screen", async () => {
  study.value = opened(["b", "c"]);
  await arrived();
  const before = shown.value;
  study.value = opened(["a", "b", "c"]);
  expect(before !== null && isCurrent(before)).toBe(false);
});

it("starts with the images' own window, and with their extremes where the unit is unknown", async () => {
  study.value = opened(["a"], { window: { center: 50, width: 350 } });
  await arrived();
  expect(voiWindow.value).toEqual({ center: 50, width: 350 });
  study.value = null;
  study.value = opened(["x"], { unit: "stored" });
  await vi.waitFor(() => { expect(voiWindow.value.width).toBe(1); });
});

it("scrolls down towards the feet, or along the stored order where positions are unknown", () => {
  expect(stepDown({ positions_mm: [-10, 0, 10] })).toBe(-1);
  expect(stepDown({ positions_mm: null })).toBe(1);
});
