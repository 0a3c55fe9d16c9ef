// Pointer, wheel and touch on the image. One finger or the left button does what the chosen tool says;
// the right button always zooms, the middle button and Shift always move, two fingers zoom and move.
import { imageFromScreen, place, zoomedAt, type Placement, type Point } from "../image/placement";
import { draggedWindow, type Window } from "../image/voi";
import { axis, setting, withEnd } from "../state/axis";
import { series } from "../state/opened";
import { draft, drawn, hasArea, regionProblem, type DraftShape } from "../state/region";
import * as viewer from "../state/viewer";
import { discardDraft, pan, step } from "./actions";
import { beginContour, continueContour, endContour } from "./contour-gestures";

/** Screen pixels of drag per slice: a stack of 50 fits a hand's breadth. */
const SCROLL_DRAG_PX = 8;
/** Screen pixels of drag that double the zoom. */
const ZOOM_DRAG_PX = 150;
/** Trackpads send many small wheel events; one slice per this much of them. A mouse notch sends at least 100. */
const WHEEL_PER_SLICE = 40;

interface Drag {
  tool: viewer.Tool;
  at: Point;
  /** Where the drag began, for zooming about that point. */
  start: Point;
  /** The window when the drag began: always reckoned from there, so that rounding never adds up. */
  window: Window;
  /** Drag that has not yet made a whole slice. */
  rest: number;
}

export function currentPlacement(): Placement | null {
  const shown = viewer.shown.value;
  return shown === null ? null : place(shown.stack, viewer.view.value, viewer.viewportSize.value);
}

function toolOf(event: PointerEvent): viewer.Tool {
  if (event.button === 2) return "zoom";
  if (event.button === 1 || event.shiftKey) return "pan";
  if (event.ctrlKey) return "zoom";
  return viewer.tool.value;
}

/** Listens on `element` until the returned function is called. */
export function attachGestures(element: HTMLElement): () => void {
  const touches = new Map<number, Point>();
  let drag: Drag | null = null;
  let wheelRest = 0;

  const pointOf = (event: PointerEvent | WheelEvent): Point => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  const down = (event: PointerEvent): void => {
    if (viewer.shown.value === null) return;
    const at = pointOf(event);
    element.setPointerCapture(event.pointerId);
    touches.set(event.pointerId, at);
    if (touches.size > 1) {
      // A second finger: the first was not meant to draw.
      if (drag?.tool === "circle" || drag?.tool === "polygon") discardDraft();
      drag = null;
      return;
    }
    if (setting.value !== null && event.button === 0 && setEnd(at)) return;
    drag = { tool: toolOf(event), at, start: at, window: viewer.voiWindow.value, rest: 0 };
    if (drag.tool === "circle" || drag.tool === "polygon") beginDrawing(drag.tool, at);
    if (drag.tool === "contour") beginContour(at);
  };

  const move = (event: PointerEvent): void => {
    const at = pointOf(event);
    point(at);
    const before = touches.get(event.pointerId);
    if (before === undefined) return;
    if (touches.size === 2) pinch(touches, event.pointerId, at);
    touches.set(event.pointerId, at);
    if (drag !== null) drag = dragged(drag, at);
  };

  const up = (event: PointerEvent): void => {
    touches.delete(event.pointerId);
    if (drag?.tool === "circle" || drag?.tool === "polygon") endDrawing();
    if (drag?.tool === "contour") endContour();
    drag = null;
  };

  const leave = (): void => {
    viewer.pointed.value = null;
  };

  const wheel = (event: WheelEvent): void => {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? WHEEL_PER_SLICE : 1;
    const amount = event.deltaY * lines;
    if (event.ctrlKey) {
      viewer.view.value = zoomedAt(viewer.view.value, 2 ** (-amount / 400), pointOf(event), viewer.viewportSize.value);
      return;
    }
    // A notched wheel moves one slice per notch however large the notch; smooth ones add up.
    if (Math.abs(amount) >= 100) {
      wheelRest = 0;
      step(Math.sign(amount));
      return;
    }
    wheelRest += amount;
    const slices = Math.trunc(wheelRest / WHEEL_PER_SLICE);
    wheelRest -= slices * WHEEL_PER_SLICE;
    if (slices !== 0) step(slices);
  };

  const noMenu = (event: Event): void => {
    event.preventDefault();
  };

  element.addEventListener("pointerdown", down);
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);
  element.addEventListener("pointerleave", leave);
  element.addEventListener("wheel", wheel, { passive: false });
  element.addEventListener("contextmenu", noMenu);
  return () => {
    element.removeEventListener("pointerdown", down);
    element.removeEventListener("pointermove", move);
    element.removeEventListener("pointerup", up);
    element.removeEventListener("pointercancel", up);
    element.removeEventListener("pointerleave", leave);
    element.removeEventListener("wheel", wheel);
    element.removeEventListener("contextmenu", noMenu);
  };
}

function dragged(drag: Drag, at: Point): Drag {
  const dx = at.x - drag.at.x;
  const dy = at.y - drag.at.y;
  switch (drag.tool) {
    case "window":
      viewer.voiWindow.value = draggedWindow(drag.window, at.x - drag.start.x, at.y - drag.start.y);
      break;
    case "pan":
      pan(dx, dy);
      break;
    case "zoom":
      viewer.view.value = zoomedAt(viewer.view.value, 2 ** (-dy / ZOOM_DRAG_PX), drag.start, viewer.viewportSize.value);
      break;
    case "scroll": {
      const travelled = drag.rest + dy;
      const slices = Math.trunc(travelled / SCROLL_DRAG_PX);
      if (slices !== 0) step(slices);
      return { ...drag, at, rest: travelled - slices * SCROLL_DRAG_PX };
    }
    case "circle":
    case "polygon":
      continueDrawing(at);
      break;
    case "contour":
      continueContour(at);
  }
  return { ...drag, at };
}

function pinch(touches: ReadonlyMap<number, Point>, movedId: number, to: Point): void {
  const from = touches.get(movedId);
  const other = [...touches].find(([id]) => id !== movedId)?.[1];
  if (from === undefined || other === undefined) return;
  const before = Math.hypot(from.x - other.x, from.y - other.y);
  const after = Math.hypot(to.x - other.x, to.y - other.y);
  const middle = { x: (to.x + other.x) / 2, y: (to.y + other.y) / 2 };
  if (before > 1) viewer.view.value = zoomedAt(viewer.view.value, after / before, middle, viewer.viewportSize.value);
  pan((to.x - from.x) / 2, (to.y - from.y) / 2);
}

/** The pixel under the pointer, or null outside the image. */
function point(screen: Point): void {
  const shown = viewer.shown.value;
  const placement = currentPlacement();
  if (shown === null || placement === null) return;
  const image = imageFromScreen(placement, screen);
  const column = Math.round(image.x);
  const row = Math.round(image.y);
  const inside = column >= 0 && row >= 0 && column < shown.stack.columns && row < shown.stack.rows;
  const value = shown.pixels[row * shown.stack.columns + column];
  viewer.pointed.value = inside && value !== undefined ? { screen, column, row, value } : null;
}

/** Whether the press set an end of the heart's axis. */
function setEnd(screen: Point): boolean {
  const placement = currentPlacement();
  const { value: shown } = viewer.shown;
  const { value: end } = setting;
  const sopInstanceUid = shown?.stack.sop_instance_uids[shown.slice];
  const seriesUid = series.value?.uid;
  if (placement === null || shown === null || end === null || sopInstanceUid === undefined || seriesUid === undefined) return false;
  axis.value = withEnd(axis.value, end, { ...imageFromScreen(placement, screen), seriesUid, sopInstanceUid, image: shown.slice });
  setting.value = null;
  return true;
}

function beginDrawing(kind: "circle" | "polygon", screen: Point): void {
  const placement = currentPlacement();
  const stack = viewer.currentStack();
  if (placement === null || stack === null) return;
  const at = imageFromScreen(placement, screen);
  const figure: DraftShape = kind === "circle" ? { shape: "circle", center: at, radius: 0 } : { shape: "polygon", points: [at] };
  regionProblem.value = null;
  draft.value = { figure, complete: false, first: 0, last: stack.frames - 1 };
}

function continueDrawing(screen: Point): void {
  const placement = currentPlacement();
  const current = draft.value;
  if (placement === null || current === null) return;
  draft.value = { ...current, figure: drawn(current.figure, imageFromScreen(placement, screen)) };
}

function endDrawing(): void {
  const current = draft.value;
  if (current === null) return;
  draft.value = hasArea(current.figure) ? { ...current, complete: true } : null;
}
