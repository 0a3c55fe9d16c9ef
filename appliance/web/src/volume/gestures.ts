// Pointer, wheel and touch on the 3-D view. One finger or the left button does what the chosen tool says; the right
// button always zooms, the middle button and Shift always move, two fingers zoom and move.
import type { Point } from "../image/placement";
import type { Window } from "../image/voi";
import * as volume from "./state";

/** Screen pixels of drag that double the zoom. */
const ZOOM_DRAG_PX = 150;
/** Trackpads send many small wheel events; one millimetre per this much of them. */
const WHEEL_PER_MM = 40;
/** A wheel lets go of the picture this long after its last event. */
const WHEEL_HOLD_MS = 200;

interface Drag {
  tool: volume.Tool;
  at: Point;
  start: Point;
  window: Window;
}

function toolOf(event: PointerEvent): volume.Tool {
  if (event.button === 2 || event.ctrlKey) return "zoom";
  if (event.button === 1 || event.shiftKey) return "pan";
  // Points lie on planes; elsewhere the hand turns.
  return volume.tool.value === "path" && volume.look.value.kind !== "plane" ? "turn" : volume.tool.value;
}

/** Listens on `element` until the returned function is called. */
export function attachVolumeGestures(element: HTMLElement): () => void {
  const touches = new Map<number, Point>();
  let drag: Drag | null = null;
  let wheelTimer = 0;

  const pointOf = (event: PointerEvent | WheelEvent): Point => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const down = (event: PointerEvent): void => {
    const at = pointOf(event);
    element.setPointerCapture(event.pointerId);
    touches.set(event.pointerId, at);
    drag = touches.size > 1 ? null : { tool: toolOf(event), at, start: at, window: volume.window3d.value };
    volume.hold(true);
    if (drag?.tool === "path") volume.setPoint(at);
  };
  const move = (event: PointerEvent): void => {
    if (!touches.has(event.pointerId)) return;
    const at = pointOf(event);
    if (touches.size === 2) pinch(touches, event.pointerId, at);
    touches.set(event.pointerId, at);
    if (drag !== null) drag = dragged(drag, at);
  };
  const up = (event: PointerEvent): void => {
    touches.delete(event.pointerId);
    drag = null;
    if (touches.size === 0) volume.hold(false);
  };
  const wheel = (event: WheelEvent): void => {
    event.preventDefault();
    const amount = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? WHEEL_PER_MM : 1);
    volume.hold(true);
    window.clearTimeout(wheelTimer);
    wheelTimer = window.setTimeout(() => { volume.hold(false); }, WHEEL_HOLD_MS);
    if (!volume.isThick(volume.look.value) && !event.ctrlKey) {
      volume.scroll(Math.abs(amount) >= 100 ? Math.sign(amount) : amount / WHEEL_PER_MM);
    } else {
      volume.zoom(2 ** (-amount / 400), pointOf(event));
    }
  };
  const noMenu = (event: Event): void => {
    event.preventDefault();
  };

  element.addEventListener("pointerdown", down);
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);
  element.addEventListener("wheel", wheel, { passive: false });
  element.addEventListener("contextmenu", noMenu);
  return () => {
    window.clearTimeout(wheelTimer);
    volume.hold(false);
    element.removeEventListener("pointerdown", down);
    element.removeEventListener("pointermove", move);
    element.removeEventListener("pointerup", up);
    element.removeEventListener("pointercancel", up);
    element.removeEventListener("wheel", wheel);
    element.removeEventListener("contextmenu", noMenu);
  };
}

function dragged(drag: Drag, at: Point): Drag {
  const dx = at.x - drag.at.x;
  const dy = at.y - drag.at.y;
  switch (drag.tool) {
    case "turn":
      if (volume.look.value.kind === "curve") volume.scroll(dx / WHEEL_PER_MM);
      else volume.turn(dx, dy);
      break;
    case "path":
      break;
    case "pan":
      volume.pan(dx, dy);
      break;
    case "zoom":
      volume.zoom(2 ** (-dy / ZOOM_DRAG_PX), drag.start);
      break;
    case "window":
      volume.dragWindow(drag.window, at.x - drag.start.x, at.y - drag.start.y);
  }
  return { ...drag, at };
}

function pinch(touches: ReadonlyMap<number, Point>, movedId: number, to: Point): void {
  const from = touches.get(movedId);
  const other = [...touches].find(([id]) => id !== movedId)?.[1];
  if (from === undefined || other === undefined) return;
  const before = Math.hypot(from.x - other.x, from.y - other.y);
  const after = Math.hypot(to.x - other.x, to.y - other.y);
  if (before > 1) volume.zoom(after / before, { x: (to.x + other.x) / 2, y: (to.y + other.y) / 2 });
  volume.pan((to.x - from.x) / 2, (to.y - from.y) / 2);
}
