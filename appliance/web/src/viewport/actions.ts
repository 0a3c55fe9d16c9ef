// Carries out what a key, a button or a gesture asks for. The one place where viewer state is changed by name.
import { batch } from "@preact/signals";
import type { Lesion, Vessel } from "../api/types";
import {
  centredOn,
  FITTED,
  FLIP_HORIZONTAL,
  FLIP_VERTICAL,
  pixelShape,
  place,
  QUARTER_TURN_LEFT,
  QUARTER_TURN_RIGHT,
  reoriented,
  zoomedAt,
} from "../image/placement";
import { draggedWindow, PRESETS } from "../image/voi";
import { assign, canAssign } from "../state/assigning";
import { redrawing } from "../state/contours";
import { bestSlice, marksOf, neighbour } from "../state/lesions";
import { finding, series } from "../state/opened";
import { draft, regionProblem } from "../state/region";
import { endPreview, wanted } from "../state/threshold";
import { nextUnassigned, PLACES } from "../state/vessels";
import * as viewer from "../state/viewer";
import { closeVolume, openVolume, volumeOpen } from "../volume/state";
import type { Action } from "./keys";

const PAGE = 10;
const ZOOM_STEP = 1.25;
const PAN_STEP_PX = 60;
/** A key press moves the window as far as a drag of this many pixels. */
const WINDOW_STEP_PX = 10;
/** A lesion chosen in the list is shown this many screen pixels wide, if the zoom allows... */
const LESION_WIDTH_PX = 90;
/** ...but never so large that the heart around it is lost. */
const LESION_ZOOM_MAX = 2.5;

export function perform(action: Action): void {
  if (action.startsWith("preset_")) {
    const preset = PRESETS[Number(action.slice("preset_".length))];
    if (preset !== undefined) viewer.voiWindow.value = { center: preset.center, width: preset.width };
    return;
  }
  const place = PLACES.find((one) => action === `vessel_${one.vessel}`);
  if (place !== undefined) {
    assignChosen(place.vessel);
    return;
  }
  SIMPLE[action as Simple]();
}

type Simple = Exclude<Action, `preset_${number}` | `vessel_${Vessel}`>;

const SIMPLE: Record<Simple, () => void> = {
  accept_proposal: () => {
    const proposed = chosen()?.proposed;
    if (proposed != null) assignChosen(proposed);
  },
  unassign: () => { assignChosen(null); },
  slice_down: () => { step(1); },
  slice_up: () => { step(-1); },
  page_down: () => { step(PAGE); },
  page_up: () => { step(-PAGE); },
  first_slice: () => { step(-Infinity); },
  last_slice: () => { step(Infinity); },
  cine: () => { viewer.cinePlaying.value = !viewer.cinePlaying.value && viewer.shown.value !== null; },
  wider: () => { nudgeWindow(WINDOW_STEP_PX, 0); },
  narrower: () => { nudgeWindow(-WINDOW_STEP_PX, 0); },
  darker: () => { nudgeWindow(0, WINDOW_STEP_PX); },
  brighter: () => { nudgeWindow(0, -WINDOW_STEP_PX); },
  invert: () => { viewer.inverted.value = !viewer.inverted.value; },
  zoom_in: () => { zoomAtMiddle(ZOOM_STEP); },
  zoom_out: () => { zoomAtMiddle(1 / ZOOM_STEP); },
  pan_left: () => { pan(-PAN_STEP_PX, 0); },
  pan_right: () => { pan(PAN_STEP_PX, 0); },
  pan_up: () => { pan(0, -PAN_STEP_PX); },
  pan_down: () => { pan(0, PAN_STEP_PX); },
  flip_horizontal: () => { viewer.view.value = reoriented(viewer.view.value, FLIP_HORIZONTAL); },
  flip_vertical: () => { viewer.view.value = reoriented(viewer.view.value, FLIP_VERTICAL); },
  turn_right: () => { viewer.view.value = reoriented(viewer.view.value, QUARTER_TURN_RIGHT); },
  turn_left: () => { viewer.view.value = reoriented(viewer.view.value, QUARTER_TURN_LEFT); },
  reset,
  next_lesion: () => { chooseNeighbour(1); },
  previous_lesion: () => { chooseNeighbour(-1); },
  toggle_lesions: () => { viewer.lesionsVisible.value = !viewer.lesionsVisible.value; },
  tool_window: () => { take("window"); },
  tool_scroll: () => { take("scroll"); },
  tool_pan: () => { take("pan"); },
  tool_zoom: () => { take("zoom"); },
  tool_circle: () => { take("circle"); },
  tool_polygon: () => { take("polygon"); },
  toggle_volume: () => { if (volumeOpen.value) closeVolume(); else openVolume(); },
  show_keys: () => { viewer.keysShown.value = true; },
  close,
};

/** Steps down the stack as the reader sees it; infinite steps go to its ends. */
export function step(down: number): void {
  const stack = viewer.currentStack();
  if (stack === null) return;
  const target = viewer.slice.value + down * viewer.stepDown(stack);
  viewer.goTo(Math.max(0, Math.min(stack.frames - 1, target)));
}

export function nudgeWindow(dx: number, dy: number): void {
  viewer.voiWindow.value = draggedWindow(viewer.voiWindow.value, dx, dy);
}

export function pan(dx: number, dy: number): void {
  const { value } = viewer.view;
  viewer.view.value = { ...value, pan: { x: value.pan.x + dx, y: value.pan.y + dy } };
}

export function zoomAtMiddle(factor: number): void {
  const size = viewer.viewportSize.value;
  viewer.view.value = zoomedAt(viewer.view.value, factor, { x: size.width / 2, y: size.height / 2 }, size);
}

function reset(): void {
  const shown = viewer.shown.value;
  if (shown === null) return;
  batch(() => {
    viewer.view.value = FITTED;
    viewer.inverted.value = false;
    viewer.voiWindow.value = viewer.startingWindow(shown.stack, shown.pixels);
  });
}

function take(tool: viewer.Tool): void {
  viewer.tool.value = tool;
}

/** Escape undoes one thing at a time, the innermost first. */
function close(): void {
  if (viewer.keysShown.value) viewer.keysShown.value = false;
  else if (volumeOpen.value) closeVolume();
  else if (draft.value !== null || regionProblem.value !== null) discardDraft();
  else if (wanted.value !== null) endPreview();
  else if (viewer.tool.value === "circle" || viewer.tool.value === "polygon") take("window");
  else if (redrawing.value !== null) redrawing.value = null;
  else if (viewer.cinePlaying.value) viewer.cinePlaying.value = false;
  else viewer.chosenLesion.value = null;
}

export function discardDraft(): void {
  draft.value = null;
  regionProblem.value = null;
}

function chosen(): Lesion | undefined {
  return finding.value?.lesions.find((lesion) => lesion.number === viewer.chosenLesion.value);
}

/** Says where the chosen lesion lies and goes on to the next one that nobody has assigned. */
export function assignChosen(vessel: Vessel | null): void {
  const current = finding.value;
  const lesion = chosen();
  if (lesion === undefined || !canAssign(current) || wanted.value !== null) return;
  if (!assign(current, [lesion.number], vessel) || vessel === null) return;
  const next = nextUnassigned(current, lesion.number);
  if (next !== null) showLesion(next);
}

function chooseNeighbour(towards: 1 | -1): void {
  const lesion = neighbour(finding.value?.lesions ?? [], viewer.chosenLesion.value, towards);
  if (lesion !== null) showLesion(lesion);
}

/** Goes to the slice that shows most of the lesion and brings it to the middle, enlarged. */
export function showLesion(lesion: Lesion): void {
  const stack = viewer.currentStack();
  if (stack === null || finding.value?.series_uid !== series.value?.uid) return;
  const slice = bestSlice(lesion);
  const mark = marksOf(finding.value).get(slice)?.find((one) => one.lesion.number === lesion.number);
  const bounds = mark?.bounds;
  const middle = bounds === undefined
    ? { x: lesion.center_px[0], y: lesion.center_px[1] }
    : { x: (bounds.left + bounds.right) / 2, y: (bounds.top + bounds.bottom) / 2 };
  const size = viewer.viewportSize.value;
  const fitted = place(stack, { ...viewer.view.value, zoom: 1 }, size).scale;
  const pixel = pixelShape(stack);
  const extent = bounds === undefined
    ? 10
    : Math.max((bounds.right - bounds.left) * pixel.width, (bounds.bottom - bounds.top) * pixel.height);
  const zoom = Math.max(1, Math.min(LESION_ZOOM_MAX, LESION_WIDTH_PX / (extent * fitted)));
  batch(() => {
    viewer.chosenLesion.value = lesion.number;
    viewer.lesionsVisible.value = true;
    viewer.cinePlaying.value = false;
    viewer.view.value = centredOn(stack, viewer.view.value, middle, zoom, size);
    viewer.goTo(slice);
  });
}
