import { postLevel } from "../api/client";
import type { Finding, FoundMark, MarksPart } from "../api/types";
import { assignProblem, nameWanted } from "../state/assigning";
import { chosenFindingId, chosenSeriesUid, replaceFinding, study } from "../state/opened";
import { readerName } from "../state/reader";
import { placeOfImage, standing, viewWords } from "../state/marks";
import { chosenMark, goTo, heatVisible } from "../state/viewer";
import * as words from "../state/words";

/** What a detection network marked, and on which images it said nothing. */
export function MarkList({ finding }: { finding: Finding }) {
  const { marks: part } = finding;
  if (part === null) return null;
  return (
    <div class="marks">
      <p class="caution"><span>{part.model.name} {part.model.version}: <strong>{part.model.statement}</strong></span></p>
      {part.marks.length === 0 ? <p><strong>No mark by this model.</strong></p> : <Table finding={finding} part={part} />}
      <p class="quiet">
        Marks from {words.number(part.threshold_percent)} of 100 suspicion. Level: suspicion level 1–5, BI-RADS-style, uncalibrated, from{" "}
        {part.levels_percent.map((percent) => words.number(percent)).join(", ")}; a suggestion for each mark.
      </p>
      {part.views.length > 0 && <Views part={part} />}
    </div>
  );
}

function show(finding: Finding, mark: FoundMark): void {
  const place = placeOfImage(study.value, mark.sop_instance_uid);
  chosenFindingId.value = finding.id;
  chosenMark.value = mark.number;
  if (place === null) return;
  chosenSeriesUid.value = place.series;
  goTo(place.slice);
}

function Table({ finding, part }: { finding: Finding; part: MarksPart }) {
  return (
    <table class="lesions">
      <caption class="sr-only">Marks. Choose one to see it on its image.</caption>
      <thead>
        <tr><th scope="col">Mark</th><th scope="col" title="Suspicion, of 100">Of 100</th><th scope="col">Level</th><th scope="col">mm</th></tr>
      </thead>
      {part.marks.map((mark) => (
        <tbody key={mark.number} class={chosenMark.value === mark.number ? "chosen" : ""}>
          <tr onClick={() => { show(finding, mark); }}>
            <th scope="row">
              <button type="button" aria-pressed={chosenMark.value === mark.number} aria-label={`Mark ${mark.number}, show on ${standing(finding, mark)}`}>
                <span class="number">{mark.number}</span>
                <span class="where">{standing(finding, mark)}, {mark.what}</span>
              </button>
            </th>
            <td>{mark.suspicion_percent.toFixed(0)}</td>
            <td><Level finding={finding} mark={mark} /></td>
            <td>{mark.diameter_mm.toFixed(0)}</td>
          </tr>
        </tbody>
      ))}
    </table>
  );
}

/** The suggestion, which a reader confirms or changes. */
function Level({ finding, mark }: { finding: Finding; mark: FoundMark }) {
  const open = finding.state === "preliminary" || finding.state === "confirmed";
  const say = async (level: number | null): Promise<void> => {
    const reader = readerName.value.trim();
    if (reader === "") {
      nameWanted.value = true;
      assignProblem.value = "Enter your name first: every level carries it.";
      return;
    }
    assignProblem.value = null;
    try {
      replaceFinding(await postLevel(finding.study_uid, finding.id, mark.number, level, reader));
    } catch (thrown) {
      assignProblem.value = thrown instanceof Error ? thrown.message : "The level was not taken. Try again.";
    }
  };
  if (!open) return <>{mark.reader_level ?? mark.level}</>;
  return (
    <select
      aria-label={`Level of mark ${mark.number}`}
      value={mark.reader_level === null ? "" : String(mark.reader_level)}
      onClick={(event) => { event.stopPropagation(); }}
      onChange={(event) => { void say(event.currentTarget.value === "" ? null : Number(event.currentTarget.value)); }}
    >
      <option value="">{mark.level}?</option>
      {[1, 2, 3, 4, 5].map((level) => <option key={level} value={level}>{level}</option>)}
    </select>
  );
}

function Views({ part }: { part: MarksPart }) {
  return (
    <>
      <dl class="views">
        {part.views.map((view) => (
          <div key={view.sop_instance_uid}><dt>{view.view === "" ? "Image" : view.view}</dt><dd>{viewWords(view)}</dd></div>
        ))}
      </dl>
      <label class="heat-choice">
        <input type="checkbox" checked={heatVisible.value} onChange={(event) => { heatVisible.value = event.currentTarget.checked; }} /> Heat on the image
      </label>
      {heatVisible.value && <p class="quiet heat-bar"><span aria-hidden="true" /> suspicion {part.views.find((view) => view.heat !== null)?.heat?.from_percent ?? 0} to 100; nothing is drawn below</p>}
    </>
  );
}
