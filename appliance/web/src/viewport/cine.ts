// Plays the stack from top to bottom, round and round. Waits for frames that have not come: a skipped
// slice could be the one that matters.
import { effect } from "@preact/signals";
import * as viewer from "../state/viewer";
import { step } from "./actions";

export const CINE_SPEEDS = [2, 5, 10, 15, 25] as const;

export function playCine(): () => void {
  return effect(() => {
    if (!viewer.cinePlaying.value) return;
    const timer = window.setInterval(() => {
      const stack = viewer.currentStack();
      if (stack === null || viewer.shown.peek()?.slice !== viewer.slice.peek()) return;
      const before = viewer.slice.peek();
      step(1);
      if (viewer.slice.peek() === before) step(-Infinity);
    }, 1000 / viewer.cineFramesPerSecond.value);
    return () => {
      window.clearInterval(timer);
    };
  });
}
