// The score at another threshold, for the eye only. One request is on its way at a time; what the slider passed over
// meanwhile is never asked for. A preview belongs to one finding and ends with it.
import { computed, signal } from "@preact/signals";
import { ApiError, fetchRescored } from "../api/client";
import type { Finding, Rescored } from "../api/types";
import { finding } from "./opened";

export const THRESHOLD_MIN_HU = 50;
export const THRESHOLD_MAX_HU = 300;
/** After the box was too busy, or computed for somebody else. */
const AGAIN_MS = 80;

/** Where the slider stands, while it stands elsewhere than the finding's own threshold. */
export const wanted = signal<number | null>(null);
export const preview = signal<Rescored | null>(null);
export const previewProblem = signal<string | null>(null);

let asking = false;

export function ownThreshold(of: Finding): number | null {
  return of.calcium?.scoring.starts_hu[0] ?? null;
}

export function moveThreshold(thresholdHu: number): void {
  const current = finding.value;
  if (current === null) return;
  if (thresholdHu === ownThreshold(current)) {
    endPreview();
    return;
  }
  wanted.value = thresholdHu;
  if (!asking) void follow(current);
}

export function endPreview(): void {
  wanted.value = null;
  preview.value = null;
  previewProblem.value = null;
}

async function follow(of: Finding): Promise<void> {
  asking = true;
  let asked: number | null = null;
  while (wanted.value !== null && wanted.value !== asked && finding.value?.id === of.id) {
    asked = wanted.value;
    try {
      const answer = await fetchRescored(of.study_uid, of.id, asked);
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- the slider may have gone back meanwhile
      if (wanted.value !== null) preview.value = answer;
      previewProblem.value = null;
    } catch (thrown) {
      if (thrown instanceof ApiError && (thrown.status === 409 || thrown.status === 429)) {
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        asked = null;
      } else {
        previewProblem.value = thrown instanceof Error ? thrown.message : "The score could not be computed. Try again.";
      }
    }
  }
  asking = false;
}

/** Follows the chosen finding for as long as the application lives. */
export function followChosenFinding(): void {
  computed(() => finding.value?.id).subscribe(endPreview);
}
