// Contours by hand: go to an image, drag a point or draw a border anew, save it all at once. Nothing is sent before that.
import { useSignal } from "@preact/signals";
import { fetchContours, postContours, resetContours } from "../api/client";
import type { Finding } from "../api/types";
import * as contours from "../state/contours";
import { chosenFindingId, reloadStudy, series } from "../state/opened";
import { readerName } from "../state/reader";
import * as viewer from "../state/viewer";
import { placeOnShow } from "../viewport/contour-gestures";

export function ContourEditor({ finding }: { finding: Finding }) {
  const current = contours.session.value;
  if (!contours.canEdit(finding) || finding.series_uid !== series.value?.uid) return null;
  return current?.finding.id === finding.id ? <Editing current={current} /> : <Begin finding={finding} />;
}

/** Ends the session whatever was changed. */
export function endContours(): void {
  contours.session.value = null;
  contours.redrawing.value = null;
  if (viewer.tool.value === "contour") viewer.tool.value = "window";
}

const words = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : "It was not taken. Try again.");

function Begin({ finding }: { finding: Finding }) {
  const problem = useSignal<string | null>(null);
  const busy = useSignal(false);
  const begin = async (): Promise<void> => {
    busy.value = true;
    problem.value = null;
    try {
      const count = finding.cardiac?.cavity_ml.length ?? 0;
      const phases = await Promise.all(Array.from({ length: count }, (_, phase) => fetchContours(finding.study_uid, finding.id, phase)));
      chosenFindingId.value = finding.id;
      contours.session.value = { finding, phases, changed: new Map(), edPhase: null, esPhase: null };
      viewer.tool.value = "contour";
      viewer.lesionsVisible.value = true;
      goTo({ slice: Math.floor((phases[0]?.slices.length ?? 0) / 2), phase: finding.cardiac?.ed_phase ?? 0 });
    } catch (thrown) {
      problem.value = words(thrown);
    }
    busy.value = false;
  };
  const undo = async (): Promise<void> => {
    const reader = readerName.value.trim();
    problem.value = reader === "" ? "Enter your name first: the change carries it." : null;
    if (reader === "") return;
    try {
      chosenFindingId.value = (await resetContours(finding.study_uid, finding.id, reader)).id;
      reloadStudy();
    } catch (thrown) {
      problem.value = words(thrown);
    }
  };
  return (
    <div class="contour-editor">
      <div class="buttons">
        <button type="button" data-testid="edit-contours" disabled={busy.value} onClick={() => { void begin(); }}>{finding.measurements.length === 0 ? "Draw contours" : "Edit contours"}</button>
        {finding.scope.kind === "edited" && <button type="button" data-testid="reset-contours" onClick={() => { void undo(); }}>Back to the box's contours</button>}
      </div>
      {problem.value !== null && <p class="problem" role="alert">{problem.value}</p>}
    </div>
  );
}

function goTo(place: contours.Place): void {
  const current = contours.session.value;
  const uid = current === null ? null : contours.imageAt(current.phases, place);
  const at = uid === null ? -1 : (viewer.currentStack()?.sop_instance_uids.indexOf(uid) ?? -1);
  if (at >= 0) viewer.goTo(at);
}

function Editing({ current }: { current: contours.Session }) {
  const place = placeOnShow();
  const cardiac = current.finding.cardiac;
  if (cardiac === null) return null;
  const ed = current.edPhase ?? cardiac.ed_phase;
  const es = current.esPhase ?? cardiac.es_phase;
  const measured = current.finding.measurements.length > 0;
  return (
    <div class="contour-editor" role="group" aria-label="Contours" data-testid="contour-editor">
      {place !== null && <p data-testid="contour-place">Slice {place.slice + 1} of {current.phases[0]?.slices.length ?? 0}, phase {place.phase + 1} of {current.phases.length}{phaseName(place.phase, ed, es, measured)}</p>}
      {place !== null && <Walk current={current} place={place} ed={ed} es={es} />}
      {place !== null && <Tools current={current} place={place} />}
      <p class="quiet">{contours.redrawing.value === null ? "Drag a point to move it." : `Draw the ${contours.BORDER_NAMES[contours.redrawing.value]} with the pointer held down.`}</p>
      <Save current={current} />
    </div>
  );
}

function phaseName(phase: number, ed: number, es: number, measured: boolean): string {
  if (!measured) return "";
  if (phase === ed) return ", end diastole";
  return phase === es ? ", end systole" : "";
}

function Walk({ current, place, ed, es }: { current: contours.Session; place: contours.Place; ed: number; es: number }) {
  const button = (name: string, to: contours.Place, pressed?: boolean) => (
    <button type="button" aria-pressed={pressed} disabled={contours.imageAt(current.phases, to) === null} onClick={() => { goTo(to); }}>{name}</button>
  );
  const choose = (which: "edPhase" | "esPhase"): void => {
    contours.session.value = { ...current, [which]: place.phase };
  };
  return (
    <>
      <div class="buttons">
        {button("Slice −", { ...place, slice: place.slice - 1 })}
        {button("Slice +", { ...place, slice: place.slice + 1 })}
        {button("Phase −", { ...place, phase: place.phase - 1 })}
        {button("Phase +", { ...place, phase: place.phase + 1 })}
      </div>
      <div class="buttons">
        {button("ED", { ...place, phase: ed }, place.phase === ed)}
        {button("ES", { ...place, phase: es }, place.phase === es)}
        <button type="button" disabled={place.phase === ed} onClick={() => { choose("edPhase"); }}>This is ED</button>
        <button type="button" disabled={place.phase === es} onClick={() => { choose("esPhase"); }}>This is ES</button>
      </div>
    </>
  );
}

function Tools({ current, place }: { current: contours.Session; place: contours.Place }) {
  const toggle = (border: contours.Border): void => {
    contours.redrawing.value = contours.redrawing.value === border ? null : border;
    viewer.tool.value = "contour";
  };
  const none = (): void => {
    contours.session.value = contours.withBorders(current, place, { endocardium: [], epicardium: [] });
  };
  return (
    <div class="buttons">
      {contours.BORDERS.map((border) => (
        <button key={border} type="button" data-testid={`redraw-${border}`} aria-pressed={contours.redrawing.value === border} onClick={() => { toggle(border); }}>Redraw {contours.BORDER_NAMES[border]}</button>
      ))}
      <button type="button" onClick={none}>None here</button>
    </div>
  );
}

function Save({ current }: { current: contours.Session }) {
  const problem = useSignal<string | null>(null);
  const busy = useSignal(false);
  const save = async (): Promise<void> => {
    const reader = readerName.value.trim();
    problem.value = reader === "" ? "Enter your name first: the change carries it." : null;
    if (reader === "") return;
    busy.value = true;
    try {
      const { finding, changed, edPhase, esPhase } = current;
      const made = await postContours(finding.study_uid, finding.id, { edits: [...changed.values()], ed_phase: edPhase, es_phase: esPhase, reader });
      endContours();
      chosenFindingId.value = made.id;
      reloadStudy();
    } catch (thrown) {
      problem.value = words(thrown);
    }
    busy.value = false;
  };
  const count = current.changed.size;
  return (
    <>
      <label>
        Reader
        <input type="text" data-testid="contour-reader" autocomplete="name" maxLength={64} value={readerName.value} onInput={(event) => { readerName.value = event.currentTarget.value; problem.value = null; }} />
      </label>
      <div class="buttons">
        <button class="primary" type="button" data-testid="save-contours" disabled={busy.value || !contours.isDirty(current)} onClick={() => { void save(); }}>{count === 0 ? "Save" : `Save ${count} ${count === 1 ? "image" : "images"}`}</button>
        <button type="button" onClick={endContours}>Discard</button>
      </div>
      {problem.value !== null && <p class="problem" role="alert">{problem.value}</p>}
    </>
  );
}
