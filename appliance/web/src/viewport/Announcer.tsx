// Says aloud (to screen readers) what sighted readers see change: slice, window, score. Waits for a pause,
// so that scrolling does not stutter.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { finding, series } from "../state/opened";
import * as viewer from "../state/viewer";
import * as words from "../state/words";

const QUIET_MS = 500;
const said = signal("");

function sentence(): string {
  const shown = viewer.shown.value;
  if (shown === null) return "";
  const { center, width } = viewer.voiWindow.value;
  return `Slice ${shown.slice + 1} of ${shown.stack.frames}. Window ${width}, level ${center}.`;
}

function scoreSentence(): string {
  const current = finding.value;
  if (current === null || current.series_uid !== series.value?.uid) return "";
  const score = words.scoreOf(current);
  return score === null ? `${current.title}: ${words.STATE_WORDS[current.state].name}.` : `Agatston score ${words.score(score.value)}, ${current.label}.`;
}

export function Announcer() {
  const now = sentence();
  useEffect(() => {
    const timer = window.setTimeout(() => {
      said.value = now;
    }, QUIET_MS);
    return () => {
      window.clearTimeout(timer);
    };
  }, [now]);
  return (
    <>
      <p class="sr-only" aria-live="polite">{said.value}</p>
      <p class="sr-only" aria-live="polite">{scoreSentence()}</p>
    </>
  );
}
