// The heart's long axis by hand: an end on each of two images, then the box cuts every phase across it.
import { useSignal } from "@preact/signals";
import { postShortAxis } from "../api/client";
import type { Finding } from "../api/types";
import * as state from "../state/axis";
import { chosenSeriesUid, reloadStudy, series } from "../state/opened";
import { readerName } from "../state/reader";
import * as viewer from "../state/viewer";

export function AxisSetter({ finding }: { finding: Finding }) {
  const problem = useSignal<string | null>(null);
  const busy = useSignal(false);
  if (!state.canCut(finding, series.value)) return null;
  const { base, apex } = state.axis.value;
  const mine = (point: state.AxisPoint | null): state.AxisPoint | null => (point?.seriesUid === finding.series_uid ? point : null);

  const cut = async (): Promise<void> => {
    const reader = readerName.value.trim();
    problem.value = reader === "" ? "Enter your name first: the new series carries the wish." : null;
    if (reader === "" || base === null || apex === null) return;
    busy.value = true;
    try {
      const made = await postShortAxis(finding.study_uid, finding.series_uid, base, apex, reader);
      state.setting.value = null;
      chosenSeriesUid.value = made.series_uid;
      reloadStudy();
    } catch (thrown) {
      problem.value = thrown instanceof Error ? thrown.message : "It was not cut. Try again.";
    }
    busy.value = false;
  };

  return (
    <div class="contour-editor axis-setter" role="group" aria-label="Short axis">
      <p class="quiet">To measure on short-axis slices, show where the heart's axis begins and ends.</p>
      <div class="buttons">
        {state.ENDS.map((end) => <EndButton key={end} end={end} point={mine(state.axis.value[end])} />)}
      </div>
      {state.setting.value !== null && <p>Go to the slice with the {state.END_NAMES[state.setting.value].toLowerCase()} and press on its middle.</p>}
      {mine(base) !== null && mine(apex) !== null && (
        <>
          <label>
            Reader
            <input type="text" data-testid="axis-reader" autocomplete="name" maxLength={64} value={readerName.value} onInput={(event) => { readerName.value = event.currentTarget.value; problem.value = null; }} />
          </label>
          <div class="buttons">
            <button class="primary" type="button" data-testid="axis-cut" disabled={busy.value} onClick={() => { void cut(); }}>{busy.value ? "Cutting every phase…" : "Cut the short axis"}</button>
          </div>
        </>
      )}
      {problem.value !== null && <p class="problem" role="alert">{problem.value}</p>}
    </div>
  );
}

function EndButton({ end, point }: { end: state.End; point: state.AxisPoint | null }) {
  const choose = (): void => {
    state.setting.value = state.setting.value === end ? null : end;
    viewer.lesionsVisible.value = true;
  };
  return (
    <button type="button" data-testid={`axis-${end}`} aria-pressed={state.setting.value === end} onClick={choose}>
      {state.END_NAMES[end]}{point === null ? "" : `: image ${point.image + 1}`}
    </button>
  );
}
