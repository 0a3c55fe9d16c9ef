// What the viewport shows and how: slice, window, orientation, tool. The only holder of the frame store.
// `slice` is where the reader wants to be; `shown` is what is really drawn, and everything written over
// the image belongs to `shown`, so that no annotation ever sits on another slice's pixels.
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import { fetchFrame } from "../api/client";
import type { SeriesSummary, Stack } from "../api/types";
import { FrameStore } from "../image/frame-store";
import { FITTED, type Point, type Size } from "../image/placement";
import { windowOfExtremes, type Window } from "../image/voi";
import { bestSlice } from "./lesions";
import * as opened from "./opened";
import { draft, regionProblem } from "./region";

export type Tool = "window" | "scroll" | "pan" | "zoom" | "circle" | "polygon" | "contour";

export interface Shown {
  stack: Stack;
  slice: number;
  pixels: Int16Array;
}

export interface Pointed {
  screen: Point;
  column: number;
  row: number;
  value: number;
}

export const slice = signal(0);
export const shown = signal<Shown | null>(null);
export const frameProblem = signal<string | null>(null);
export const loadedRanges = signal<readonly [number, number][]>([]);
export const view = signal(FITTED);
export const voiWindow = signal<Window>({ center: 40, width: 400 });
export const inverted = signal(false);
/** A finger scrolls, as on every phone; a mouse has a wheel for that. */
const TOOL_AT_START: Tool = typeof matchMedia === "function" && matchMedia("(pointer: coarse)").matches ? "scroll" : "window";
export const tool = signal<Tool>(TOOL_AT_START);
export const lesionsVisible = signal(true);
export const chosenLesion = signal<number | null>(null);
/** Of the marks of a detection network. */
export const chosenMark = signal<number | null>(null);
export const heatVisible = signal(false);
export const cinePlaying = signal(false);
export const cineFramesPerSecond = signal(10);
export const pointed = signal<Pointed | null>(null);
export const viewportSize = signal<Size>({ width: 1, height: 1 });
export const keysShown = signal(false);

let store: FrameStore | null = null;
let stackKey = "";
let seriesUid = "";
let windowKnown = false;
/** True until the reader moves or the first findings came: only then may the start slice still change. */
let startOpen = false;

/** For axial stacks the last slice is the head's end, and scrolling down must go to the feet. */
export function stepDown(stack: Pick<Stack, "positions_mm">): 1 | -1 {
  return stack.positions_mm === null ? 1 : -1;
}

/** The reader's own move. */
export function goTo(wanted: number): void {
  startOpen = false;
  moveTo(wanted);
}

function moveTo(wanted: number): void {
  const frames = currentStack()?.frames ?? 0;
  if (frames === 0 || store === null) return;
  slice.value = Math.max(0, Math.min(frames - 1, Math.round(wanted)));
  store.want(slice.value);
  refresh();
}

export function currentStack(): Stack | null {
  return opened.series.value?.stack ?? null;
}

/** Whether slice indices of the newest findings still mean what is drawn. */
export function isCurrent({ stack, slice: drawn }: Shown): boolean {
  const current = currentStack();
  return current?.frames === stack.frames && current.sop_instance_uids[drawn] === stack.sop_instance_uids[drawn];
}

export function retryFrames(): void {
  store?.retry();
  refresh();
}

function refresh(): void {
  if (store === null) return;
  const stack = currentStack();
  const pixels = store.get(slice.value);
  const failure = store.failure(slice.value);
  batch(() => {
    if (pixels !== undefined && stack !== null) {
      if (!windowKnown) {
        voiWindow.value = startingWindow(stack, pixels);
        windowKnown = true;
      }
      if (shown.value?.pixels !== pixels) shown.value = { stack, slice: slice.value, pixels };
    }
    frameProblem.value = failure?.message ?? null;
    loadedRanges.value = store?.heldRanges() ?? [];
  });
}

function clear(): void {
  store?.close();
  store = null;
  stackKey = "";
  seriesUid = "";
  batch(() => {
    shown.value = null;
    frameProblem.value = null;
    loadedRanges.value = [];
    pointed.value = null;
    draft.value = null;
    regionProblem.value = null;
    cinePlaying.value = false;
    chosenLesion.value = null;
  });
}

/** A frame's index means something else once the stack grew, so pixels are never kept across stacks. */
function replaceStore(studyUid: string, series: SeriesSummary, stack: Stack): void {
  store?.close();
  const pixelCount = stack.rows * stack.columns;
  store = new FrameStore({
    frames: stack.frames,
    bytesPerFrame: pixelCount * 2,
    load: (frame, signal) => fetchFrame(studyUid, series.uid, frame, stack.digest, pixelCount, signal),
    onChange: refresh,
  });
}

function show(studyUid: string, series: SeriesSummary, stack: Stack): void {
  const sameSeries = seriesUid === series.uid;
  const before = shown.peek();
  if (!sameSeries) clear();
  seriesUid = series.uid;
  replaceStore(studyUid, series, stack);
  if (sameSeries && before !== null) {
    // The study grew: stay on the same image, wherever it now stands.
    const moved = stack.sop_instance_uids.indexOf(before.stack.sop_instance_uids[before.slice] ?? "");
    moveTo(moved >= 0 ? moved : slice.peek());
    return;
  }
  batch(() => {
    view.value = FITTED;
    inverted.value = false;
    windowKnown = false;
  });
  startOpen = true;
  moveTo(Math.floor((stack.frames - 1) / 2));
}

export function startingWindow(stack: Stack, pixels: Int16Array): Window {
  if (stack.window !== null) return { center: stack.window.center, width: stack.window.width };
  return stack.unit === "HU" ? { center: 40, width: 400 } : windowOfExtremes(pixels);
}

/** A study that was already scored opens where its score comes from. */
function startAtLargestLesion(): void {
  if (!startOpen) return;
  startOpen = false;
  const finding = opened.finding.value;
  const largest = finding?.series_uid === seriesUid ? finding.lesions[0] : undefined;
  if (largest !== undefined) moveTo(bestSlice(largest));
}

/** Follows the opened series and finding for as long as the application lives. */
export function followOpenedSeries(): void {
  const findingId = computed(() => opened.finding.value?.id);
  effect(() => {
    if (opened.findingsLoaded.value && shown.value !== null) untracked(startAtLargestLesion);
  });
  findingId.subscribe(() => {
    // Lesion 2 of one finding is not lesion 2 of the next.
    chosenLesion.value = null;
    chosenMark.value = null;
  });
  effect(() => {
    const study = opened.study.value;
    const series = opened.series.value;
    const stack = series?.stack ?? null;
    if (study === null || series === null || stack === null || stack.frames === 0) {
      untracked(clear);
      return;
    }
    const key = [series.uid, stack.rows, stack.columns, ...stack.sop_instance_uids].join(" ");
    if (key === stackKey) return;
    // What show() reads on the way must not become a reason to run again.
    untracked(() => {
      show(study.uid, series, stack);
    });
    stackKey = key;
  });
}
