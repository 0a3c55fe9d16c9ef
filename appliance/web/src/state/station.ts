// This station and its box: who is signed in, what the worklist shows, which study is open.
import { batch, signal } from "@preact/signals";
import { ApiError, checkSession, fetchBox, fetchStudies, signIn, signOut } from "../api/client";
import { listen } from "../api/events";
import type { BoxFacts, StudySummary } from "../api/types";
import { pageFromHash, type Page } from "./page";
import { EMPTY_WORKLIST, reduceWorklist, type WorklistInput } from "./worklist";

export const session = signal<"checking" | "out" | "in">("checking");
export const signInProblem = signal<string | null>(null);
export const worklist = signal(EMPTY_WORKLIST);
export const worklistProblem = signal<string | null>(null);
export const box = signal<BoxFacts | null>(null);
export const openUid = signal<string | null>(null);
/** The page that is open while no study is. */
export const page = signal<Page>({ name: "studies" });
/** Grows each time something changed that a page about the box may show. */
export const boxChanges = signal(0);

let stopListening: (() => void) | null = null;
const studyListeners = new Set<(study: StudySummary | null) => void>();

/** Calls back with each study the box tells of, or with null when anything may have changed. */
export function onStudy(listener: (study: StudySummary | null) => void): void {
  studyListeners.add(listener);
}

function feed(input: WorklistInput): void {
  worklist.value = reduceWorklist(worklist.value, input);
}

/** `#/study/{uid}` opens a study; anything else is the worklist. */
export function uidFromHash(hash: string): string | null {
  const found = /^#\/study\/([^/]+)$/.exec(hash);
  if (found?.[1] === undefined) return null;
  try {
    return decodeURIComponent(found[1]);
  } catch {
    return null;
  }
}

export function studyHash(uid: string): string {
  return `#/study/${encodeURIComponent(uid)}`;
}

/** The token a link carried, e.g. the one the demo prints. */
export function tokenFromHash(hash: string): string | null {
  return new URLSearchParams(hash.replace(/^#/, "")).get("token");
}

export async function start(): Promise<void> {
  window.addEventListener("hashchange", () => void followHash());
  const entered = await followHash();
  if (!entered) await resume();
}

/** True when the address carried a token, which has then been tried. */
async function followHash(): Promise<boolean> {
  const token = tokenFromHash(location.hash);
  batch(() => {
    openUid.value = uidFromHash(location.hash);
    page.value = pageFromHash(location.hash);
  });
  if (token === null) return false;
  // The token must not stay in the address bar, the history or a screenshot.
  history.replaceState(null, "", location.pathname);
  await enter(token);
  return true;
}

async function resume(): Promise<void> {
  try {
    await checkSession();
    begin();
  } catch (thrown) {
    // Without a session there is nothing to complain about: the reader simply signs in.
    if (thrown instanceof ApiError && thrown.kind !== "signed_out") signInProblem.value = thrown.message;
    session.value = "out";
  }
}

export async function enter(token: string): Promise<void> {
  signInProblem.value = null;
  try {
    await signIn(token);
    begin();
  } catch (thrown) {
    signInProblem.value = thrown instanceof Error ? thrown.message : "Signing in failed. Try again.";
    session.value = "out";
  }
}

export async function leave(): Promise<void> {
  try {
    await signOut();
  } catch {
    signInProblem.value = "The box could not be told. Close this browser so that nobody else can go on here.";
  }
  signedOut();
}

/** Nothing about patients stays on the screen of a station that is signed out. */
export function signedOut(): void {
  stopListening?.();
  stopListening = null;
  worklist.value = EMPTY_WORKLIST;
  session.value = "out";
}

function begin(): void {
  session.value = "in";
  stopListening?.();
  let missedSomething = false;
  stopListening = listen({
    connected: () => {
      feed({ kind: "connected" });
      void refetch();
      // The study on the screen was fetched moments ago, unless this is a return after a loss.
      if (missedSomething) {
        tellListeners(null);
        boxChanges.value += 1;
      }
    },
    lost: () => {
      missedSomething = true;
      feed({ kind: "lost" });
    },
    signedOut: () => {
      signInProblem.value = "The session has ended. Sign in again.";
      signedOut();
    },
    study: (study) => {
      feed({ kind: "study", study });
      tellListeners(study);
      boxChanges.value += 1;
    },
    box: () => {
      boxChanges.value += 1;
      void readBox();
    },
    resync: () => {
      void refetch();
      tellListeners(null);
      boxChanges.value += 1;
    },
  });
}

function tellListeners(study: StudySummary | null): void {
  for (const listener of studyListeners) listener(study);
}

export async function refetch(): Promise<void> {
  feed({ kind: "fetch_began" });
  try {
    feed({ kind: "list", studies: await fetchStudies() });
    worklistProblem.value = null;
    box.value = await fetchBox();
  } catch (thrown) {
    feed({ kind: "fetch_failed" });
    worklistProblem.value = thrown instanceof Error ? thrown.message : "The worklist could not be read.";
  }
}

/** What the box says of itself; where that fails, the next change asks again. */
async function readBox(): Promise<void> {
  try {
    box.value = await fetchBox();
  } catch {
    // The page that is open says what is wrong; old facts stay on the screen meanwhile.
  }
}
