// The study on the screen: its series, its findings, and which of them the reader looks at.
// Refetches when the box tells of a change, at most every 400 ms however often that is.
import { batch, computed, signal } from "@preact/signals";
import { ApiError, fetchFindings, fetchStudy, postRegion } from "../api/client";
import type { Finding, SeriesSummary, Shape, StudyDetail, StudySummary } from "../api/types";
import { session } from "./contours";
import { box, onStudy, signedOut, signInProblem } from "./station";

export const study = signal<StudyDetail | null>(null);
export const findings = signal<readonly Finding[]>([]);
/** Until then, no finding only means that none has been read yet. */
export const findingsLoaded = signal(false);
export const studyProblem = signal<string | null>(null);
export const chosenSeriesUid = signal<string | null>(null);
export const chosenFindingId = signal<string | null>(null);
/** A question sent to the box whose finding has not come yet. */
export const awaitedFindingId = signal<string | null>(null);

/** Shown apart, folded: they no longer say what is true. */
export function isEarlier(finding: Finding): boolean {
  return finding.state === "superseded";
}

export const currentFindings = computed(() => {
  const current = findings.value.filter((finding) => !isEarlier(finding));
  // The automatic result leads; among equals the newest does.
  return [...current.filter(isAutomatic), ...current.filter((finding) => !isAutomatic(finding))];
});
export const earlierFindings = computed(() => findings.value.filter(isEarlier));

function isAutomatic(finding: Finding): boolean {
  return finding.scope.kind === "automatic" || finding.scope.kind === "edited";
}

export const finding = computed<Finding | null>(() => {
  const chosen = findings.value.find((one) => one.id === chosenFindingId.value);
  const telling = currentFindings.value.find((one) => one.lesions.length > 0 || one.perfusion !== null || (one.cardiac?.slices.length ?? 0) > 0 || one.marks !== null);
  return chosen ?? telling ?? currentFindings.value[0] ?? null;
});

export const series = computed<SeriesSummary | null>(() => {
  const all = study.value?.series ?? [];
  return all.find((one) => one.uid === chosenSeriesUid.value) ?? mainSeries(all);
});

/** The series to open with: the longest CT that can be shown, else the longest of any kind, else the first. */
export function mainSeries(all: readonly SeriesSummary[]): SeriesSummary | null {
  const shown = all.filter((one) => one.stack !== null);
  const ct = shown.filter((one) => one.modality === "CT");
  const candidates = ct.length > 0 ? ct : shown;
  return candidates.reduce<SeriesSummary | null>(
    (best, one) => (best === null || (one.stack?.frames ?? 0) > (best.stack?.frames ?? 0) ? one : best),
    null,
  ) ?? all[0] ?? null;
}

const REFETCH_PAUSE_MS = 400;
let uid: string | null = null;
let refetching = false;
let stale = false;

export function openStudy(next: string | null): void {
  uid = next;
  batch(() => {
    study.value = null;
    findings.value = [];
    findingsLoaded.value = false;
    studyProblem.value = null;
    chosenSeriesUid.value = null;
    chosenFindingId.value = null;
    awaitedFindingId.value = null;
    session.value = null;
  });
  if (next !== null) void load(next);
}

export function reloadStudy(): void {
  if (uid !== null) void load(uid);
}

async function load(wanted: string): Promise<void> {
  try {
    // Images first: the detail alone lets the first frame start.
    const pending = fetchFindings(wanted);
    // Observed below; this keeps a failure of the first request from leaving it unhandled.
    pending.catch(() => undefined);
    const detail = await fetchStudy(wanted);
    if (uid !== wanted) return;
    batch(() => {
      study.value = detail;
      studyProblem.value = null;
    });
    const list = await pending;
    if (uid === wanted) takeFindings(list);
  } catch (thrown) {
    if (uid === wanted) report(thrown);
  }
}

function takeFindings(list: readonly Finding[]): void {
  batch(() => {
    findings.value = list;
    findingsLoaded.value = true;
    if (awaitedFindingId.value !== null && list.some((one) => one.id === awaitedFindingId.value)) {
      chosenFindingId.value = awaitedFindingId.value;
      awaitedFindingId.value = null;
    }
    const chosen = list.find((one) => one.id === chosenFindingId.value);
    // A result that has just been replaced gives way to what replaced it.
    if (chosen?.superseded_by != null) chosenFindingId.value = null;
  });
}

/** A finding as the box has just answered it takes the place of the one known. */
export function replaceFinding(changed: Finding): void {
  findings.value = findings.value.map((one) => (one.id === changed.id && one.revision <= changed.revision ? changed : one));
}

function report(thrown: unknown): void {
  if (thrown instanceof ApiError && thrown.kind === "signed_out") {
    signInProblem.value = thrown.message;
    signedOut();
    return;
  }
  studyProblem.value = thrown instanceof Error ? thrown.message : "The study could not be read. Try again.";
}

async function refetch(wanted: string): Promise<void> {
  if (refetching) {
    stale = true;
    return;
  }
  refetching = true;
  do {
    stale = false;
    await load(wanted);
    await new Promise((resolve) => setTimeout(resolve, REFETCH_PAUSE_MS));
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- set by calls made during the awaits
  } while (stale && uid === wanted);
  refetching = false;
  if (uid !== null && uid !== wanted) void refetch(uid);
}

onStudy((changed: StudySummary | null) => {
  if (uid === null || (changed !== null && changed.uid !== uid)) return;
  if (changed !== null && study.value !== null) study.value = { ...study.value, ...changed };
  void refetch(uid);
});

/** How long an answer may take before the reader is told: the box is asked again until then. */
const ANSWER_PATIENCE_MS = 20_000;

/** Resolves once the finding is listed; rejects with a sentence for the reader. */
export async function measureRegion(seriesUid: string, shape: Shape): Promise<void> {
  const wanted = uid;
  if (wanted === null) return;
  await awaitFinding(await postRegion(wanted, seriesUid, shape));
}

/** Waits for the finding that answers a question, and chooses it. Rejects with a sentence for the reader. */
export async function awaitFinding(id: string): Promise<void> {
  const wanted = uid;
  if (wanted === null) return;
  awaitedFindingId.value = id;
  const deadline = Date.now() + ANSWER_PATIENCE_MS;
  while (uid === wanted && awaitedFindingId.value === id) {
    await new Promise((resolve) => setTimeout(resolve, REFETCH_PAUSE_MS));
    if (uid !== wanted) return;
    takeFindings(await fetchFindings(wanted));
    if (Date.now() > deadline && awaitedFindingId.peek() === id) {
      awaitedFindingId.value = null;
      throw new ApiError("box_failed", `The box (${box.value?.device ?? "no name"}) has not answered yet. It will be listed when it is done.`);
    }
  }
}
