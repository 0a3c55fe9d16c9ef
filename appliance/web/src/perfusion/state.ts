// What the perfusion panel shows: which slice, which voxel, the slices of the maps, the curve of the voxel.
// Slices are kept as long as their finding is on the screen; a curve that is no longer asked for is aborted.
import { computed, effect, signal } from "@preact/signals";
import { ApiError, fetchCurve, fetchFrame, fetchMapSlice, fetchTissue, isAbort, postPerfusion } from "../api/client";
import type { Curve, Finding, MapKind, PerfusionChoice, PerfusionPart, Stack } from "../api/types";
import { awaitFinding, finding, study } from "../state/opened";

export interface Voxel {
  column: number;
  row: number;
  slice: number;
}

/** Columns and rows of a part of the grid. */
export interface Box {
  left: number;
  top: number;
  columns: number;
  rows: number;
}

export interface Slice {
  maps: Partial<Record<MapKind, Float32Array>>;
  tissue: Uint8Array | null;
  images: Int16Array | null;
}

/** The finding whose maps are shown instead of the images. */
export const perfusion = computed<(Finding & { perfusion: PerfusionPart }) | null>(() => {
  const one = finding.value;
  return one?.perfusion == null ? null : { ...one, perfusion: one.perfusion };
});

/** The reader may look at the plain images instead. */
export const imagesWanted = signal(false);
export const slice = signal(0);
export const overlayShown = signal(true);
/** Under the pointer. */
export const hovered = signal<Voxel | null>(null);
/** Clicked: it stays, and inlets can be made of it. */
export const pinned = signal<Voxel | null>(null);
export const curve = signal<Curve | null>(null);
export const curveNote = signal<string | null>(null);
export const problem = signal<string | null>(null);
/** The part of the grid that holds the head: it grows with the slices that were seen and never jumps back. */
export const head = signal<Box | null>(null);
const slices = signal<ReadonlyMap<number, Slice>>(new Map());

export const voxel = computed(() => hovered.value ?? pinned.value);
export const shownSlice = computed(() => slices.value.get(slice.value) ?? null);

let loadedFor: string | null = null;

/** Frames of the first time point by slice: frames of one position stand side by side in the stack. */
export function firstFrames(stack: Stack): number[] {
  const SAME_POSITION_MM = 0.1;
  const positions = stack.positions_mm ?? [];
  return positions.flatMap((position, index) => {
    const before = positions[index - 1];
    return before === undefined || position - before > SAME_POSITION_MM ? [index] : [];
  });
}

/** Denser than this is head, not air or pillow. */
const HEAD_HU = -200;
const MARGIN_PX = 2;

/** The box around everything dense, with a margin. Pure. */
export function headIn(images: Int16Array, columns: number): Box | null {
  const rows = images.length / columns;
  let [left, right, top, bottom] = [columns, -1, rows, -1];
  for (let index = 0; index < images.length; index += 1) {
    if ((images[index] ?? HEAD_HU) <= HEAD_HU) continue;
    const [column, row] = [index % columns, Math.floor(index / columns)];
    left = Math.min(left, column);
    right = Math.max(right, column);
    top = Math.min(top, row);
    bottom = row;
  }
  if (right < left) return null;
  const from = { left: Math.max(0, left - MARGIN_PX), top: Math.max(0, top - MARGIN_PX) };
  const to = { right: Math.min(columns - 1, right + MARGIN_PX), bottom: Math.min(rows - 1, bottom + MARGIN_PX) };
  return { ...from, columns: to.right - from.left + 1, rows: to.bottom - from.top + 1 };
}

export function united(one: Box | null, other: Box | null): Box | null {
  if (one === null || other === null) return one ?? other;
  const [left, top] = [Math.min(one.left, other.left), Math.min(one.top, other.top)];
  const right = Math.max(one.left + one.columns, other.left + other.columns);
  const bottom = Math.max(one.top + one.rows, other.top + other.rows);
  return { left, top, columns: right - left, rows: bottom - top };
}

export function goTo(next: number): void {
  const last = (perfusion.peek()?.perfusion.grid.slices ?? 1) - 1;
  slice.value = Math.min(last, Math.max(0, next));
}

function merge(number: number, change: Partial<Slice>): void {
  const before = slices.peek().get(number) ?? { maps: {}, tissue: null, images: null };
  const maps = { ...before.maps, ...change.maps };
  slices.value = new Map(slices.peek()).set(number, { ...before, ...change, maps });
}

async function loadSlice(of: Finding & { perfusion: PerfusionPart }, number: number): Promise<void> {
  const { grid, maps } = of.perfusion;
  const pixels = grid.columns * grid.rows;
  merge(number, {});
  const take = (change: Partial<Slice>): void => {
    if (loadedFor === of.id) merge(number, change);
  };
  const work = maps.map(async ({ kind }) => {
    take({ maps: { [kind]: await fetchMapSlice(of.study_uid, of.id, kind, number, pixels) } });
  });
  work.push(fetchTissue(of.study_uid, of.id, number, pixels).then((tissue) => { take({ tissue }); }));
  const stack = study.peek()?.series.find((one) => one.uid === of.series_uid)?.stack ?? null;
  const frame = stack === null ? undefined : firstFrames(stack)[number];
  if (stack !== null && frame !== undefined) {
    const signal = new AbortController().signal;
    const pending = fetchFrame(of.study_uid, of.series_uid, frame, stack.digest, pixels, signal);
    work.push(pending.then((images) => {
      take({ images });
      if (loadedFor === of.id) head.value = united(head.peek(), headIn(images, grid.columns));
    }));
  }
  try {
    await Promise.all(work);
  } catch (thrown) {
    problem.value = thrown instanceof Error ? thrown.message : "A map could not be read. Try again.";
  }
}

/** The slice with most late tissue would need every slice; the middle one shows the basal ganglia as well as any. */
effect(() => {
  const of = perfusion.value;
  if (of === null) return;
  if (loadedFor !== of.id) {
    loadedFor = of.id;
    slices.value = new Map();
    head.value = null;
    problem.value = null;
    hovered.value = null;
    pinned.value = null;
    slice.value = Math.floor(of.perfusion.grid.slices / 2);
  }
  if (!slices.peek().has(slice.value)) void loadSlice(of, slice.value);
});

const REST_MS = 40;
const AGAIN_MS = 700;
let asking: AbortController | null = null;

/** Once the pointer rests. */
effect(() => {
  const [at, of] = [voxel.value, perfusion.value];
  asking?.abort();
  if (at === null || of === null) {
    curve.value = null;
    return;
  }
  asking = new AbortController();
  void askCurve(of, at, asking.signal);
});

async function askCurve(of: Finding, at: Voxel, signal: AbortSignal): Promise<void> {
  try {
    await pause(REST_MS, signal);
    for (;;) {
      try {
        curve.value = await fetchCurve(of.study_uid, of.id, at, signal);
        curveNote.value = null;
        return;
      } catch (thrown) {
        if (!(thrown instanceof ApiError) || thrown.kind !== "box_failed") throw thrown;
        // The box reads the series into memory first; it says so.
        curveNote.value = thrown.message;
        await pause(AGAIN_MS, signal);
      }
    }
  } catch (thrown) {
    if (!isAbort(thrown)) curveNote.value = thrown instanceof Error ? thrown.message : "No curve came.";
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("no longer asked for", "AbortError"));
    });
  });
}

/** Analyses again with another choice; the new finding is shown once it is there. */
export async function computeAgain(change: Partial<PerfusionChoice>): Promise<void> {
  const of = perfusion.peek();
  if (of === null) return;
  problem.value = null;
  try {
    const choice: PerfusionChoice = { ...of.perfusion.choice, ...change };
    await awaitFinding(await postPerfusion(of.study_uid, of.id, choice));
  } catch (thrown) {
    problem.value = thrown instanceof Error ? thrown.message : "The box did not take the choice. Try again.";
  }
}
