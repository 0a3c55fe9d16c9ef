// Draws what lies over the image: lesion marks with their numbers, and the region being drawn or measured.
import { END_NAMES, type End } from "../state/axis";
import type { BorderPoints, Finding, Shape, Stack } from "../api/types";
import { labelBounds, labelPlaces } from "../image/label-places";
import type { Bounds, Loop } from "../image/outline";
import { screenFromImage, type Placement, type Point, type Size } from "../image/placement";
import type { Borders } from "../state/contours";
import type { Mark } from "../state/lesions";
import type { Draft, DraftShape } from "../state/region";
import type { Contours } from "../state/ventricle";
import { isCounted } from "../state/vessels";

/** Amber stands out on grey at every brightness; the accent is kept for what the reader does. */
const LESION_LINE = "#ffb020";
const LESION_FILL = "rgb(255 176 32 / 0.22)";
const CHOSEN_LINE = "#4fd1e8";
const CHOSEN_FILL = "rgb(79 209 232 / 0.28)";
/** A lesion that a reader found not to be coronary is still seen, and seen not to count. */
const OUTSIDE_LINE = "#9aa6b1";
const OUTSIDE_FILL = "rgb(154 166 177 / 0.14)";
/** Another threshold is another thing: a colour that nothing else has, and no numbers. */
const PREVIEW_LINE = "#d9a6ff";
const PREVIEW_FILL = "rgb(217 166 255 / 0.2)";
const CAVITY_LINE = "#ff6b6b";
const MUSCLE_LINE = "#6fd08c";
const HALO = "rgb(0 0 0 / 0.75)";
const REGION_LINE = "#4fd1e8";
const LABEL_BACK = "rgb(10 13 16 / 0.88)";
const LABEL_SIZE: Size = { width: 24, height: 18 };
const LABEL_FONT = "600 12px system-ui, sans-serif";

type Trace = (context: CanvasRenderingContext2D) => void;

/** A dark halo under a bright line is seen on calcium and on lung alike. */
function strokeWithHalo(context: CanvasRenderingContext2D, trace: Trace, colour: string, width: number): void {
  context.beginPath();
  trace(context);
  context.lineJoin = "round";
  context.strokeStyle = HALO;
  context.lineWidth = width + 2;
  context.stroke();
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

function traceLoops(loops: readonly Loop[], placement: Placement): Trace {
  return (context) => {
    for (const loop of loops) {
      loop.forEach(([x, y], index) => {
        const at = screenFromImage(placement, { x, y });
        if (index === 0) context.moveTo(at.x, at.y);
        else context.lineTo(at.x, at.y);
      });
      context.closePath();
    }
  };
}

export function screenBounds(bounds: Bounds, placement: Placement): Bounds {
  const one = screenFromImage(placement, { x: bounds.left, y: bounds.top });
  const other = screenFromImage(placement, { x: bounds.right, y: bounds.bottom });
  return {
    left: Math.min(one.x, other.x),
    right: Math.max(one.x, other.x),
    top: Math.min(one.y, other.y),
    bottom: Math.max(one.y, other.y),
  };
}

export function drawMarks(
  context: CanvasRenderingContext2D,
  marks: readonly Mark[],
  chosen: number | null,
  placement: Placement,
  viewport: Size,
): void {
  for (const mark of marks) {
    const isChosen = mark.lesion.number === chosen;
    const trace = traceLoops(mark.loops, placement);
    context.beginPath();
    trace(context);
    const [fill, line] = isChosen ? [CHOSEN_FILL, CHOSEN_LINE] : isCounted(mark.lesion) ? [LESION_FILL, LESION_LINE] : [OUTSIDE_FILL, OUTSIDE_LINE];
    context.fillStyle = fill;
    context.fill("evenodd");
    strokeWithHalo(context, trace, line, isChosen ? 2 : 1.5);
  }
  drawNumbers(context, marks, chosen, placement, viewport);
}

/** What would count at another threshold. */
export function drawPreview(context: CanvasRenderingContext2D, marks: readonly Mark[], placement: Placement): void {
  for (const mark of marks) {
    const trace = traceLoops(mark.loops, placement);
    context.beginPath();
    trace(context);
    context.fillStyle = PREVIEW_FILL;
    context.fill("evenodd");
    strokeWithHalo(context, trace, PREVIEW_LINE, 1);
  }
}

/** Cavity and muscle in the colours that cardiac readers know: red inside, green outside. */
export function drawContours(context: CanvasRenderingContext2D, contours: Contours, placement: Placement): void {
  strokeWithHalo(context, traceLoops(contours.muscle, placement), MUSCLE_LINE, 1.5);
  strokeWithHalo(context, traceLoops(contours.cavity, placement), CAVITY_LINE, 1.5);
}

const GRIP_PX = 4;

/** Borders that a reader may move, with a grip at every point. */
export function drawEditable(context: CanvasRenderingContext2D, borders: Borders, placement: Placement): void {
  const lines: [BorderPoints, string][] = [[borders.epicardium, MUSCLE_LINE], [borders.endocardium, CAVITY_LINE]];
  for (const [points, colour] of lines) {
    strokeWithHalo(context, traceLoops([points], placement), colour, 1.5);
    for (const [x, y] of points) {
      const at = screenFromImage(placement, { x, y });
      context.beginPath();
      context.arc(at.x, at.y, GRIP_PX, 0, 2 * Math.PI);
      context.fillStyle = HALO;
      context.fill();
      context.strokeStyle = colour;
      context.lineWidth = 1.5;
      context.stroke();
    }
  }
}

function drawNumbers(
  context: CanvasRenderingContext2D,
  marks: readonly Mark[],
  chosen: number | null,
  placement: Placement,
  viewport: Size,
): void {
  const places = labelPlaces(marks.map((mark) => screenBounds(mark.bounds, placement)), LABEL_SIZE, viewport);
  marks.forEach((mark, index) => {
    const place = places[index];
    if (place == null) return;
    const colour = mark.lesion.number === chosen ? CHOSEN_LINE : isCounted(mark.lesion) ? LESION_LINE : OUTSIDE_LINE;
    strokeWithHalo(
      context,
      (on) => {
        const end = nearestCorner(mark.loops, placement, place);
        on.moveTo(end.x, end.y);
        on.lineTo(place.x, place.y);
      },
      colour,
      1,
    );
    const bounds = labelBounds(place, LABEL_SIZE);
    context.beginPath();
    context.roundRect(bounds.left, bounds.top, LABEL_SIZE.width, LABEL_SIZE.height, 4);
    context.fillStyle = LABEL_BACK;
    context.fill();
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.stroke();
    context.fillStyle = colour;
    context.font = LABEL_FONT;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(String(mark.lesion.number), place.x, place.y + 0.5);
  });
}

/** The leader ends on the outline itself: a slanted lesion leaves the corners of its box empty. */
function nearestCorner(loops: readonly Loop[], placement: Placement, to: Point): Point {
  let nearest = to;
  let shortest = Infinity;
  for (const [x, y] of loops.flat()) {
    const at = screenFromImage(placement, { x, y });
    const length = Math.hypot(at.x - to.x, at.y - to.y);
    if (length < shortest) {
      shortest = length;
      nearest = at;
    }
  }
  return nearest;
}

/** A circle in image pixels is an ellipse on the screen where pixels are oblong, so it is traced point by point. */
const CIRCLE_POINTS = 96;

function figurePoints(figure: DraftShape): Point[] {
  if (figure.shape === "polygon") return [...figure.points];
  return Array.from({ length: CIRCLE_POINTS }, (_, index) => {
    const angle = (index / CIRCLE_POINTS) * 2 * Math.PI;
    return { x: figure.center.x + figure.radius * Math.cos(angle), y: figure.center.y + figure.radius * Math.sin(angle) };
  });
}

function drawFigure(context: CanvasRenderingContext2D, figure: DraftShape, placement: Placement, closed: boolean): void {
  const points = figurePoints(figure).map((point) => screenFromImage(placement, point));
  strokeWithHalo(
    context,
    (on) => {
      points.forEach((point, index) => {
        if (index === 0) on.moveTo(point.x, point.y);
        else on.lineTo(point.x, point.y);
      });
      if (closed) on.closePath();
    },
    REGION_LINE,
    1.5,
  );
}

/** The drawing in progress; dashed on slices it will not be measured on. */
export function drawDraft(context: CanvasRenderingContext2D, draft: Draft, slice: number, placement: Placement): void {
  const measured = slice >= Math.min(draft.first, draft.last) && slice <= Math.max(draft.first, draft.last);
  context.setLineDash(measured ? [] : [5, 5]);
  drawFigure(context, draft.figure, placement, draft.complete || draft.figure.shape === "circle");
  context.setLineDash([]);
}

export function figureOf(shape: Shape): DraftShape {
  if (shape.shape === "circle") {
    return { shape: "circle", center: { x: shape.center_px[0], y: shape.center_px[1] }, radius: shape.radius_px };
  }
  return { shape: "polygon", points: shape.points_px.map(([x, y]) => ({ x, y })) };
}

/** The region a finding was measured in, where the finding belongs to this slice. */
export function drawScope(
  context: CanvasRenderingContext2D,
  finding: Finding | null,
  slice: number,
  placement: Placement,
): void {
  if (finding?.scope.kind !== "region") return;
  const { shape } = finding.scope;
  if (slice < shape.first_slice || slice > shape.last_slice) return;
  drawFigure(context, figureOf(shape), placement, true);
}

/** Ten millimetres as a bar, the only scale a picture without rulers has. */
export function scaleBarPx(stack: Stack, placement: Placement): number | null {
  const across = stack.column_spacing_mm;
  const down = stack.row_spacing_mm;
  if (across === null || down === null) return null;
  return (placement.scale / Math.min(across, down)) * 10;
}

const END_PX = 7;

/** Ends of the heart's axis: a cross with its name. */
export function drawEnds(context: CanvasRenderingContext2D, ends: readonly { end: End; at: Point }[], placement: Placement): void {
  for (const { end, at } of ends) {
    const { x, y } = screenFromImage(placement, at);
    const cross: Trace = (on) => {
      on.moveTo(x - END_PX, y);
      on.lineTo(x + END_PX, y);
      on.moveTo(x, y - END_PX);
      on.lineTo(x, y + END_PX);
    };
    strokeWithHalo(context, cross, REGION_LINE, 1.5);
    context.font = LABEL_FONT;
    context.fillStyle = REGION_LINE;
    context.fillText(END_NAMES[end], x + END_PX + 4, y - 4);
  }
}
