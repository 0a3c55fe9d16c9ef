// The box's event stream, kept alive. A lost connection is retried for ever, with a growing pause: the
// reading station is left open for weeks, and the box may be updated any night.
// Does not interpret studies; it hands them on.
import { ApiError, checkSession } from "./client";
import type { StudySummary } from "./types";

export interface EventHandlers {
  connected: () => void;
  lost: () => void;
  signedOut: () => void;
  study: (study: StudySummary) => void;
  /** Something changed that is about no one study. */
  box: () => void;
  resync: () => void;
}

/** Seconds before the n-th attempt (counted from 0) after a loss: 1, 2, 4, ... but never over 15. */
export function pauseBeforeAttempt(attempt: number): number {
  return Math.min(15, 2 ** Math.min(attempt, 10));
}

/** A study from an event's data, or null where the data is not one. */
export function studyFromEvent(data: unknown): StudySummary | null {
  if (typeof data !== "string") return null;
  try {
    const parsed: unknown = JSON.parse(data);
    const named = typeof parsed === "object" && parsed !== null && "uid" in parsed && typeof parsed.uid === "string";
    return named ? (parsed as StudySummary) : null;
  } catch {
    return null;
  }
}

/** Listens until the returned function is called. */
export function listen(handlers: EventHandlers): () => void {
  let source: EventSource | null = null;
  let timer = 0;
  let attempt = 0;

  const connect = (): void => {
    const current = new EventSource("/api/events");
    source = current;
    current.onopen = () => {
      attempt = 0;
      handlers.connected();
    };
    current.addEventListener("study", (event) => {
      const study = studyFromEvent(event.data);
      // A malformed event still means that something changed.
      if (study === null) handlers.resync();
      else handlers.study(study);
    });
    current.addEventListener("box", () => {
      handlers.box();
    });
    current.addEventListener("resync", () => {
      handlers.resync();
    });
    current.onerror = () => {
      // The browser's own retry has no pause we control and hides a 401, so start afresh.
      current.close();
      handlers.lost();
      void afterLoss();
    };
  };

  const afterLoss = async (): Promise<void> => {
    timer = window.setTimeout(connect, pauseBeforeAttempt(attempt) * 1000);
    attempt += 1;
    try {
      await checkSession();
    } catch (thrown) {
      if (!(thrown instanceof ApiError) || thrown.kind !== "signed_out") return;
      window.clearTimeout(timer);
      handlers.signedOut();
    }
  };

  connect();
  return () => {
    window.clearTimeout(timer);
    source?.close();
  };
}
