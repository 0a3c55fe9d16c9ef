// The image, what is written over it, and the slice bar. Painting is an effect on the viewer's signals,
// once per animation frame; Preact renders only the words around it.
import { effect, type ReadonlySignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Rescored } from "../api/types";
import { SlicePainter, prepared } from "../image/painter";
import type { Placement } from "../image/placement";
import { markAt, marksOf, type Mark } from "../state/lesions";
import { bordersAt, session } from "../state/contours";
import { axis, endsOn } from "../state/axis";
import { heatOn, marksOn } from "../state/marks";
import { labelsOnShow, palette } from "../state/structures";
import { contoursOf, type Contours } from "../state/ventricle";
import { finding, series, study } from "../state/opened";
import { draft, radiusMm } from "../state/region";
import { endPreview, preview } from "../state/threshold";
import { placeOf } from "../state/vessels";
import * as viewer from "../state/viewer";
import * as words from "../state/words";
import { Announcer } from "./Announcer";
import { playCine } from "./cine";
import { placeOnShow } from "./contour-gestures";
import { Corners } from "./Corners";
import { attachGestures, currentPlacement } from "./gestures";
import { drawContours, drawEnds, drawDraft, drawEditable, drawMarks, drawPreview, drawScope } from "./overlay";
import { drawFoundMarks, drawHeat } from "./marks-overlay";
import { SliceBar } from "./SliceBar";
import { StructuresPainter } from "./structures-overlay";

export function Viewport() {
  const area = useRef<HTMLDivElement>(null);
  const image = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    if (area.current === null || image.current === null || overlay.current === null) return;
    const stops = [followSize(area.current), attachGestures(area.current), paintOn(image.current, overlay.current), playCine()];
    return () => {
      for (const stop of stops) stop();
    };
  }, []);

  return (
    <section class="viewport" aria-label="Image">
      <div class={`image-area tool-${viewer.tool.value}${viewer.frameProblem.value === null ? "" : " stale"}`} ref={area}>
        <canvas ref={image} data-testid="viewport" role="img" aria-label={description()} />
        <canvas ref={overlay} class="overlay" aria-hidden="true" />
        <Corners />
        <LesionTip />
        <TrialNote />
        <DrawingTip />
        <FrameNote />
      </div>
      <SliceBar />
      <Announcer />
    </section>
  );
}

function followSize(area: HTMLElement): () => void {
  const measure = (): void => {
    const { width, height } = area.getBoundingClientRect();
    if (width > 0 && height > 0) viewer.viewportSize.value = { width, height };
  };
  measure();
  const observer = new ResizeObserver(measure);
  observer.observe(area);
  return () => {
    observer.disconnect();
  };
}

/** Marks of the finding on show, as long as it belongs to the images on show. */
export function marksOnShow(): readonly Mark[] {
  const { value: shown } = viewer.shown;
  if (shown === null || finding.value?.series_uid !== series.value?.uid || !viewer.isCurrent(shown)) return [];
  return marksOf(finding.value).get(shown.slice) ?? [];
}

function marksInTrial(trial: Rescored): readonly Mark[] {
  const { value: shown } = viewer.shown;
  if (shown === null || finding.value?.series_uid !== series.value?.uid || !viewer.isCurrent(shown)) return [];
  return marksOf(trial).get(shown.slice) ?? [];
}

/** The ventricle's contours on the image on show, where it has some. */
function contoursOnShow(): Contours | null {
  const { value: shown } = viewer.shown;
  if (shown === null || finding.value?.series_uid !== series.value?.uid || !viewer.isCurrent(shown)) return null;
  const uid = shown.stack.sop_instance_uids[shown.slice];
  return uid === undefined ? null : (contoursOf(finding.value).get(uid) ?? null);
}

/** Marks of a network and their heat on the image on show, in whichever series of the examination it is. */
function drawNetworkMarks(context: CanvasRenderingContext2D, placement: Placement): void {
  const { value: shown } = viewer.shown;
  const uid = shown?.stack.sop_instance_uids[shown.slice];
  const inVolume = finding.value?.kind === "nodules";
  if (shown === null || uid === undefined || !viewer.isCurrent(shown)) return;
  if (inVolume && finding.value?.series_uid !== series.value?.uid) return;
  const heat = viewer.heatVisible.value ? heatOn(finding.value, uid) : null;
  if (heat !== null) drawHeat(context, heat, placement);
  if (!viewer.lesionsVisible.value) return;
  drawFoundMarks(context, marksOn(finding.value, uid, shown.slice, shown.stack.slice_increment_mm), viewer.chosenMark.value, placement);
}

function paintOn(image: HTMLCanvasElement, overlay: HTMLCanvasElement): () => void {
  const painter = new SlicePainter();
  const structures = new StructuresPainter();
  let request = 0;
  let imageStale = true;

  const paint = (): void => {
    request = 0;
    const shown = viewer.shown.peek();
    const size = viewer.viewportSize.peek();
    const placement = currentPlacement();
    if (shown === null || placement === null) {
      prepared(image, size);
      prepared(overlay, size);
      return;
    }
    if (imageStale) {
      imageStale = false;
      const { columns, rows, photometric } = shown.stack;
      const inverted = viewer.inverted.peek() !== (photometric === "MONOCHROME1");
      painter.paint(image, size, placement, { columns, rows, pixels: shown.pixels, window: viewer.voiWindow.peek(), inverted });
      document.documentElement.dataset.ready = "image";
    }
    const context = prepared(overlay, size);
    if (context === null) return;
    const labels = labelsOnShow.peek();
    if (viewer.lesionsVisible.peek() && labels?.slice === shown.slice && labels.findingId === finding.peek()?.id) structures.paint(context, labels, shown.stack.columns, palette.peek(), placement);
    const trial = preview.peek();
    if (trial !== null) drawPreview(context, marksInTrial(trial), placement);
    else if (viewer.lesionsVisible.peek()) drawMarks(context, marksOnShow(), viewer.chosenLesion.peek(), placement, size);
    const editing = session.peek();
    const place = placeOnShow();
    const contours = contoursOnShow();
    if (editing !== null && place !== null) drawEditable(context, bordersAt(editing, place), placement);
    else if (viewer.lesionsVisible.peek() && contours !== null) drawContours(context, contours, placement);
    drawNetworkMarks(context, placement);
    const imageUid = shown.stack.sop_instance_uids[shown.slice];
    if (imageUid !== undefined) drawEnds(context, endsOn(axis.peek(), imageUid), placement);
    if (finding.peek()?.series_uid === series.peek()?.uid) drawScope(context, finding.peek(), shown.slice, placement);
    const drawing = draft.peek();
    if (drawing !== null) drawDraft(context, drawing, shown.slice, placement);
  };
  const schedule = (): void => {
    if (request === 0) request = requestAnimationFrame(paint);
  };

  const stopImage = whenever([viewer.shown, viewer.view, viewer.viewportSize, viewer.voiWindow, viewer.inverted], () => {
    imageStale = true;
    schedule();
  });
  const stopOverlay = whenever([finding, preview, viewer.lesionsVisible, viewer.chosenLesion, viewer.chosenMark, viewer.heatVisible, draft, session, labelsOnShow, palette, axis], schedule);
  return () => {
    stopImage();
    stopOverlay();
    cancelAnimationFrame(request);
  };
}

/** Runs `act` now and after every change of one of the signals. */
function whenever(signals: readonly ReadonlySignal[], act: () => void): () => void {
  return effect(() => {
    // Reading a signal's value is what subscribes to it.
    signals.map((one): unknown => one.value);
    act();
  });
}

function description(): string {
  const shown = viewer.shown.value;
  if (shown === null) return "No image yet";
  const marks = marksOnShow();
  const lesions = marks.length === 0 ? "no lesion marked" : `marked: ${marks.map((mark) => `lesion ${mark.lesion.number}`).join(", ")}`;
  return `${series.value?.modality ?? ""} image, slice ${shown.slice + 1} of ${shown.stack.frames}, ${lesions}`;
}

/** What lies under the pointer when it is a lesion. */
function LesionTip() {
  const at = viewer.pointed.value;
  if (at === null || !viewer.lesionsVisible.value || draft.value?.complete === false || preview.value !== null) return null;
  const mark = markAt(marksOnShow(), at.column, at.row);
  if (mark === null) return null;
  const { lesion, cut } = mark;
  return (
    <Tip at={at}>
      <strong>Lesion {lesion.number}{lesion.vessel === null ? "" : `, ${placeOf(lesion.vessel).name}`}, this slice</strong>
      <span>peak {words.number(cut.peak_hu)} HU · weight {cut.weight}</span>
      <span>{words.number(cut.area_mm2)} mm² · score {words.number(cut.agatston)}</span>
    </Tip>
  );
}

/** Nobody must take the picture at another threshold for the result. */
function TrialNote() {
  const trial = preview.value;
  if (trial === null) return null;
  return (
    <p class="trial-note" role="status">
      {words.capitalised(trial.label)}. Not a result. <button type="button" onClick={endPreview}>Back (Esc)</button>
    </p>
  );
}

/** The size of the circle while it is being drawn. */
function DrawingTip() {
  const at = viewer.pointed.value;
  const drawing = draft.value;
  const stack = viewer.shown.value?.stack;
  if (at === null || stack === undefined || drawing === null || drawing.complete || drawing.figure.shape !== "circle") return null;
  const { radius } = drawing.figure;
  const millimetres = radiusMm(radius, stack);
  return (
    <Tip at={at}>
      <strong>Radius {words.number(radius)} px</strong>
      {millimetres !== null && <span>{words.number(millimetres)} mm</span>}
    </Tip>
  );
}

/** A note beside the pointer, on whichever side has room. */
function Tip({ at, children }: { at: viewer.Pointed; children: ComponentChildren }) {
  const flip = at.screen.x > viewer.viewportSize.value.width - 200;
  const transform = `translate(${at.screen.x + (flip ? -16 : 16)}px, ${at.screen.y + 16}px)${flip ? " translateX(-100%)" : ""}`;
  return <div class="tip" style={{ transform }}>{children}</div>;
}

/** Why there is no image, or that it is on its way. */
function FrameNote() {
  const problem = viewer.frameProblem.value;
  if (problem !== null) {
    return (
      <div class="frame-note problem" role="alert">
        <strong>Slice {viewer.slice.value + 1} cannot be shown.</strong> {problem}{" "}
        <button type="button" onClick={viewer.retryFrames}>Try again</button>
      </div>
    );
  }
  const current = series.value;
  if (study.value !== null && current === null) return <p class="frame-note quiet">No image series has arrived yet.</p>;
  if (current !== null && current.stack === null) {
    return <p class="frame-note"><strong>This series cannot be shown as images.</strong> {current.stack_problem}</p>;
  }
  if (viewer.shown.value === null) return <p class="frame-note quiet">Loading the first image…</p>;
  return null;
}
