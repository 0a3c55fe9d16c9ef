// One document of the box on the screen: read when its page opens, and again whenever the box says that something
// changed. Changes come in bursts, so it is read at most once in PAUSE_MS; old values stay until new ones are there.
import { signal, type ReadonlySignal } from "@preact/signals";

const PAUSE_MS = 1500;

export interface Followed<T> {
  value: ReadonlySignal<T | null>;
  /** Why the last attempt failed, in words. */
  problem: ReadonlySignal<string | null>;
  /** Reads it now. */
  reload: () => void;
  stop: () => void;
}

export function follow<T>(read: () => Promise<T>, changes: ReadonlySignal<number>): Followed<T> {
  const value = signal<T | null>(null);
  const problem = signal<string | null>(null);
  const state = { stopped: false, reading: false, again: false };
  let timer: ReturnType<typeof setTimeout> | undefined;

  const reload = async (): Promise<void> => {
    if (state.reading) {
      state.again = true;
      return;
    }
    state.reading = true;
    state.again = false;
    clearTimeout(timer);
    timer = undefined;
    try {
      const found = await read();
      if (!state.stopped) {
        value.value = found;
        problem.value = null;
      }
    } catch (thrown) {
      if (!state.stopped) problem.value = thrown instanceof Error ? thrown.message : "This could not be read. Try again.";
    }
    state.reading = false;
    if (wasMissed()) later();
  };
  // Changed while it was being read.
  const wasMissed = (): boolean => state.again && !state.stopped;
  const later = (): void => {
    timer ??= setTimeout(() => void reload(), PAUSE_MS);
  };
  let first = true;
  const dispose = changes.subscribe(() => {
    // A subscription begins with the value there is.
    if (first) first = false;
    else if (state.reading) state.again = true;
    else later();
  });
  void reload();
  return {
    value,
    problem,
    reload: () => void reload(),
    stop: () => {
      state.stopped = true;
      clearTimeout(timer);
      dispose();
    },
  };
}
