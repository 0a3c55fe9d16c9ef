// Structures over the images: the labels of the slice on show, in colours; which of them are shown.
import { computed, effect, signal, untracked } from "@preact/signals";
import { fetchLabels } from "../api/client";
import type { Finding } from "../api/types";
import { finding, series, study } from "./opened";
import { isCurrent, shown } from "./viewer";

/** Red, green, blue by label; the body's own tissue has no colour. */
export const LABEL_COLOURS: readonly (readonly [number, number, number] | null)[] = [
  null, null, [88, 166, 255], [120, 220, 232], [255, 214, 102], [240, 232, 205], [232, 170, 60], [214, 96, 96],
];
const OPACITY = 96;
/** Slices kept: a quarter of a chest, a few megabytes. */
const SLICES_MAX = 64;

/** Fat and lean tissue cover the whole picture: a reader asks for them. */
export const hiddenLabels = signal<ReadonlySet<number>>(new Set([6, 7]));

export interface SliceLabels {
  findingId: string;
  slice: number;
  labels: Uint8Array;
}

/** The labels of the slice on show, once they have come. */
export const labelsOnShow = signal<SliceLabels | null>(null);

export function toggleLabel(label: number): void {
  const next = new Set(hiddenLabels.value);
  if (!next.delete(label)) next.add(label);
  hiddenLabels.value = next;
}

/** Colours of the labels that are shown, as bytes of red, green, blue and opacity. */
export function coloured(labels: Uint8Array, hidden: ReadonlySet<number>): Uint8ClampedArray<ArrayBuffer> {
  const palette = new Uint8Array(256 * 4);
  LABEL_COLOURS.forEach((colour, label) => {
    if (colour !== null && !hidden.has(label)) palette.set([...colour, OPACITY], label * 4);
  });
  const pixels = new Uint8ClampedArray(labels.length * 4);
  labels.forEach((label, at) => {
    pixels.set(palette.subarray(label * 4, label * 4 + 4), at * 4);
  });
  return pixels;
}

interface Wanted {
  finding: Finding;
  slice: number;
  pixels: number;
}

const wanted = computed<Wanted | null>(() => {
  const current = finding.value;
  const image = shown.value;
  if (current?.structures == null || image === null || !isCurrent(image) || current.series_uid !== series.value?.uid) return null;
  return { finding: current, slice: image.slice, pixels: image.stack.columns * image.stack.rows };
});

const kept = new Map<string, Uint8Array>();

/** Fetches what is on show. Runs for as long as the page. */
export function followStructures(): void {
  effect(() => {
    const now = wanted.value;
    untracked(() => { void show(now); });
  });
}

async function show(now: Wanted | null): Promise<void> {
  if (now === null) {
    labelsOnShow.value = null;
    return;
  }
  const { finding: of, slice, pixels } = now;
  const key = `${of.id}/${slice}`;
  let labels = kept.get(key);
  if (labels === undefined) {
    try {
      labels = await fetchLabels(of.study_uid, of.id, slice, pixels);
    } catch {
      // The image stands without colours; the next slice asks again.
      labelsOnShow.value = null;
      return;
    }
    kept.set(key, labels);
    const oldest = kept.keys().next().value;
    if (kept.size > SLICES_MAX && oldest !== undefined) kept.delete(oldest);
  }
  const still = wanted.peek();
  if (still?.finding.id === of.id && still.slice === slice && study.peek()?.uid === of.study_uid) {
    labelsOnShow.value = { findingId: of.id, slice, labels };
  }
}
