// Structures over the images: the labels of the slice on show, in colours; which of them are shown.
import { computed, effect, signal, untracked } from "@preact/signals";
import { fetchLabels } from "../api/client";
import type { Finding } from "../api/types";
import { finding, series, study } from "./opened";
import { isCurrent, shown } from "./viewer";

const OPACITY = 96;
/** Slices kept: a quarter of a chest, a few megabytes. */
const SLICES_MAX = 64;

/** Labels that a reader shows or hides otherwise than the box: network or kind of finding, and label. */
const changed = signal<ReadonlySet<string>>(new Set());

const keyOf = (of: Finding, label: number): string => `${of.network ?? of.kind}/${label}`;

/** Fat and lean tissue cover the whole picture: a reader asks for them. */
const covers = (of: Finding, label: number): boolean => of.kind === "structures" && label >= 6;

export function isHidden(of: Finding, label: number): boolean {
  return covers(of, label) !== changed.value.has(keyOf(of, label));
}

/** Labels of a finding that are not shown. */
export function hiddenOf(of: Finding): number[] {
  return (of.structures?.found ?? []).map(({ label }) => label).filter((label) => isHidden(of, label));
}

export interface SliceLabels {
  findingId: string;
  slice: number;
  labels: Uint8Array;
}

/** The labels of the slice on show, once they have come. */
export const labelsOnShow = signal<SliceLabels | null>(null);

export function toggleLabel(of: Finding, label: number): void {
  const next = new Set(changed.value);
  const key = keyOf(of, label);
  if (!next.delete(key)) next.add(key);
  changed.value = next;
}

/** Red, green, blue and opacity by label; what is hidden or has no colour is clear. */
export function paletteOf(of: Finding | null): Uint8Array {
  const palette = new Uint8Array(256 * 4);
  for (const { label, colour } of of?.structures?.found ?? []) {
    if (of !== null && colour !== null && !isHidden(of, label)) palette.set([...colour, OPACITY], label * 4);
  }
  return palette;
}

/** Of the finding on show. */
export const palette = computed(() => paletteOf(finding.value));

/** Colours of the labels that are shown, as bytes of red, green, blue and opacity. */
export function coloured(labels: Uint8Array, palette: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
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
