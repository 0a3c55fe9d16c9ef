import { signal } from "@preact/signals";
import { PerfusionView } from "../perfusion/PerfusionView";
import { imagesWanted, perfusion } from "../perfusion/state";
import { Results } from "../results/Results";
import { chosenSeriesUid, reloadStudy, series, study, studyProblem } from "../state/opened";
import { ledgerHash } from "../state/page";
import { worklist } from "../state/station";
import * as words from "../state/words";
import { Viewport } from "../viewport/Viewport";
import { Toolbar } from "../viewport/Toolbar";
import { volumeOpen } from "../volume/state";
import { VolumeBar } from "../volume/VolumeBar";
import { VolumePane } from "../volume/VolumePane";
import { Brand } from "./Brand";
import { Icon } from "./Icon";
import { BoxLine, ConnectionNote, Worklist } from "./Worklist";

const LIST_OPEN_KEY = "sidelight.worklist";

/** Folded by default: the image comes first. The choice is kept on this station; it names no patient. */
const listOpen = signal(readListOpen());

function readListOpen(): boolean {
  try {
    return localStorage.getItem(LIST_OPEN_KEY) === "open";
  } catch {
    return false;
  }
}

function toggleList(): void {
  listOpen.value = !listOpen.value;
  try {
    localStorage.setItem(LIST_OPEN_KEY, listOpen.value ? "open" : "folded");
  } catch {
    // A browser without storage forgets the choice; nothing else depends on it.
  }
}

export function StudyPage() {
  const busy = worklist.value.studies.filter((one) => one.activity.state !== "idle" && one.activity.state !== "failed").length;
  return (
    <div class={listOpen.value ? "study-page list-open" : "study-page"}>
      <header class="top-bar">
        <a class="tool" href="#/" aria-label="Back to the worklist"><Icon name="back" /> <span>Worklist</span></a>
        <button class="tool fold" type="button" aria-expanded={listOpen.value} onClick={toggleList}>
          <Icon name="list" /> <span>{listOpen.value ? "Hide list" : "Show list"}</span>
          {busy > 0 && <span class="count" title={`${busy} studies arriving or being analysed`}>{busy}<span class="sr-only"> studies busy</span></span>}
        </button>
        <StudyName />
        <SeriesChoice />
        <ConnectionNote />
        {study.value !== null && <a class="tool ledger-link" href={ledgerHash(study.value.uid)} title="What became of each object">Ledger</a>}
        <h1 class="top-brand"><Brand /></h1>
      </header>
      {listOpen.value && <div class="side-list"><Worklist /><BoxLine /></div>}
      <main class="stage">
        {studyProblem.value !== null && (
          <p class="problem" role="alert">
            {studyProblem.value} <button type="button" onClick={reloadStudy}>Try again</button>
          </p>
        )}
        <Stage />
      </main>
      <Results />
    </div>
  );
}

/** The 3-D view where it was asked for, else maps where there are any, else the images. */
function Stage() {
  if (volumeOpen.value) return <><VolumeBar /><VolumePane /></>;
  if (perfusion.value !== null && !imagesWanted.value) return <PerfusionView />;
  return <><Toolbar /><Viewport /></>;
}

function StudyName() {
  const opened = study.value;
  if (opened === null) return <p class="study-name quiet">Opening…</p>;
  return (
    <p class="study-name">
      <strong>{words.personName(opened.patient_name)}</strong>
      <span class="quiet"> {words.studyTitle(opened)}</span>
    </p>
  );
}

function SeriesChoice() {
  const all = study.value?.series ?? [];
  if (all.length < 2) return null;
  return (
    <label class="series-choice">
      <span class="sr-only">Series</span>
      <select value={series.value?.uid} onChange={(event) => { chosenSeriesUid.value = event.currentTarget.value; }}>
        {all.map((one) => (
          <option key={one.uid} value={one.uid}>
            {[one.number === null ? "" : `${one.number}.`, one.description === "" ? one.modality : one.description, `(${one.frame_count})`].join(" ")}
          </option>
        ))}
      </select>
    </label>
  );
}
