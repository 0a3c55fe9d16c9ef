// Annotations in the corners and the letters at the edges. All of it belongs to the slice that is drawn.
import type { Finding } from "../api/types";
import { seenEdgeLetters } from "../image/placement";
import { finding, series, study } from "../state/opened";
import * as viewer from "../state/viewer";
import * as words from "../state/words";
import { currentPlacement } from "./gestures";
import { scaleBarPx } from "./overlay";

export function Corners() {
  const shown = viewer.shown.value;
  if (shown === null) return null;
  return (
    <div class="corners">
      <TopLeft />
      <TopRight />
      <BottomLeft shown={shown} />
      <BottomRight shown={shown} />
      <Edges shown={shown} />
    </div>
  );
}

function TopLeft() {
  const opened = study.value;
  const current = series.value;
  if (opened === null || current === null) return null;
  const person = [opened.patient_id, words.date(opened.birth_date), opened.sex ?? ""].filter((part) => part !== "").join("  ");
  const numbered = current.number === null ? "" : `Series ${current.number}`;
  return (
    <div class="corner top-left">
      <span class="name">{words.personName(opened.patient_name)}</span>
      <span class="spare">{person}</span>
      <span>{words.date(opened.study_date)} {words.time(opened.study_time)}</span>
      <span class="spare">{[numbered, current.description].filter((part) => part !== "").join(": ")}</span>
    </div>
  );
}

/** The result stays attached to the picture, also in a screenshot. */
function TopRight() {
  const current = finding.value;
  if (current === null || current.series_uid !== series.value?.uid) return null;
  const score = words.scoreOf(current);
  const state = words.STATE_WORDS[current.state];
  return (
    <div class="corner top-right">
      {score !== null && <span>Agatston {words.score(score.value)}</span>}
      <span class="spare">{current.scope.kind === "region" ? "drawn region, " : ""}{standing(current, state.name)}</span>
    </div>
  );
}

function BottomLeft({ shown }: { shown: viewer.Shown }) {
  const { center, width } = viewer.voiWindow.value;
  const at = viewer.pointed.value;
  const placement = currentPlacement();
  const unit = shown.stack.unit === "HU" ? "HU" : "stored value";
  const bar = placement === null ? null : scaleBarPx(shown.stack, placement);
  return (
    <div class="corner bottom-left">
      <span class="pointed">{at === null ? " " : `${at.value} ${unit}  (${at.column}, ${at.row})`}</span>
      <span>W {width}  L {center}{viewer.inverted.value ? "  inverted" : ""}</span>
      <span>Zoom {placement === null ? "" : Math.round(placement.scale * 100)} %</span>
      {bar !== null && bar > 6 && bar < viewer.viewportSize.value.width / 2 && (
        <span class="scale-bar spare"><i style={{ width: `${bar}px` }} /> 10 mm</span>
      )}
    </div>
  );
}

function BottomRight({ shown }: { shown: viewer.Shown }) {
  const { stack, slice } = shown;
  const position = stack.positions_mm?.[slice];
  const wanted = viewer.slice.value;
  return (
    <div class="corner bottom-right">
      {!stack.even && <span class="caution">Uneven slice distance</span>}
      <span class="spare">{stack.slice_increment_mm === null ? "" : `Increment ${words.number(stack.slice_increment_mm)} mm`}</span>
      <span>{position === undefined ? "" : `z ${position.toFixed(1)} mm`}</span>
      <span class="slice-number" data-testid="slice">Slice {slice + 1} / {stack.frames}</span>
      <span class="quality" data-testid="quality">{quality(slice, wanted)}</span>
    </div>
  );
}

/** Nobody must read a candidate for a result in the corner of an eye. */
function standing(finding: Finding, state: string): string {
  if (finding.calcium === null || finding.state !== "preliminary") return state.toLowerCase();
  return finding.calcium.unassigned === 0 && finding.lesions.length > 0 ? "assigned, not confirmed" : "candidate, unreviewed";
}

/** Frames come as the box decoded them, so a picture is either whole or not there. */
function quality(drawn: number, wanted: number): string {
  if (drawn === wanted) return "● Lossless";
  return viewer.frameProblem.value === null ? `○ Loading ${wanted + 1}…` : `✕ Slice ${wanted + 1} failed`;
}

function Edges({ shown }: { shown: viewer.Shown }) {
  if (shown.stack.edge_letters === null) return null;
  const letters = seenEdgeLetters(shown.stack.edge_letters, viewer.view.value.orientation);
  return (
    <>
      <span class="edge left">{letters.left}</span>
      <span class="edge right">{letters.right}</span>
      <span class="edge top">{letters.top}</span>
      <span class="edge bottom">{letters.bottom}</span>
    </>
  );
}
