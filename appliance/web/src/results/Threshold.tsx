// The slider: what the score would be at another threshold. Shown, never kept.
import type { Finding } from "../api/types";
import { endPreview, moveThreshold, ownThreshold, preview, previewProblem, THRESHOLD_MAX_HU, THRESHOLD_MIN_HU, wanted } from "../state/threshold";
import * as words from "../state/words";

export function Threshold({ finding }: { finding: Finding }) {
  const own = ownThreshold(finding);
  if (own === null) return null;
  const at = wanted.value ?? own;
  const trial = preview.value;
  const others = trial !== null && trial.threshold_hu === at ? trial : null;
  return (
    <details class="threshold" open={wanted.value !== null}>
      <summary>Another threshold</summary>
      <label>
        <span>Threshold <strong>{at} HU</strong>{at === own && <span class="quiet"> (standard)</span>}</span>
        <input
          type="range"
          data-testid="threshold"
          min={THRESHOLD_MIN_HU}
          max={THRESHOLD_MAX_HU}
          step={1}
          value={at}
          list="standard-threshold"
          onInput={(event) => { moveThreshold(event.currentTarget.valueAsNumber); }}
        />
        <datalist id="standard-threshold"><option value={own} /></datalist>
      </label>
      {wanted.value !== null && (
        <div class="trial" aria-live="polite">
          <p class="trial-label" data-testid="trial-label">{trial === null ? "Scoring…" : words.capitalised(trial.label)}</p>
          {trial !== null && (
            <dl class={others === null ? "measurements stale" : "measurements"}>
              <div><dt>Score, weights unchanged</dt><dd>{words.number(trial.agatston)}</dd></div>
              <div><dt>Volume</dt><dd>{words.number(trial.volume_mm3)} <span class="unit">mm³</span></dd></div>
              {trial.mass_mg !== null && <div><dt>Mass</dt><dd>{words.number(trial.mass_mg)} <span class="unit">mg</span></dd></div>}
              <div><dt>Lesions</dt><dd>{words.number(trial.lesion_count)}</dd></div>
            </dl>
          )}
          <p class="quiet">For the eye only: no category, and it never leaves this screen. What peaks below {own} HU adds to volume, not to the score.</p>
          <button type="button" onClick={endPreview}>Back to {own} HU</button>
        </div>
      )}
      {previewProblem.value !== null && <p class="problem" role="alert">{previewProblem.value}</p>}
    </details>
  );
}
