// Draws what a detection network marked: a circle around each mark with its number, and the heat it comes from.
import type { FoundMark, HeatGrid } from "../api/types";
import { screenFromImage, type Placement, type Point } from "../image/placement";

const LINE = "#ffb020";
const CHOSEN = "#4fd1e8";
const HALO = "rgb(0 0 0 / 0.75)";
/** A mark smaller than this on the screen would be covered by its own line. */
const RADIUS_MIN = 9;
const FONT = "600 12px system-ui, sans-serif";
const POINTS = 48;

/** Yellow where suspicion begins to be shown, red at 100; the bar in the list has the same ends (results.css). */
export function heatColour(percent: number, from: number): string {
  const share = Math.min(1, Math.max(0, (percent - from) / (100 - from)));
  return `hsl(${Math.round(55 - 55 * share)} 95% 55% / ${(0.18 + 0.37 * share).toFixed(2)})`;
}

export function drawHeat(context: CanvasRenderingContext2D, heat: HeatGrid, placement: Placement): void {
  const [width, height] = heat.cell_px;
  for (const [column, row, percent] of heat.cells) {
    // Cell edges lie half a pixel before the first pixel's centre.
    const one = screenFromImage(placement, { x: column * width - 0.5, y: row * height - 0.5 });
    const other = screenFromImage(placement, { x: (column + 1) * width - 0.5, y: (row + 1) * height - 0.5 });
    context.fillStyle = heatColour(percent, heat.from_percent);
    context.fillRect(Math.min(one.x, other.x), Math.min(one.y, other.y), Math.abs(other.x - one.x), Math.abs(other.y - one.y));
  }
}

/** The rim of a mark on the screen, a circle of millimetres whatever the shape of pixels; never smaller than can be seen. */
export function rim(mark: FoundMark, placement: Placement): Point[] {
  const [x, y] = mark.center_px;
  const center = screenFromImage(placement, { x, y });
  return Array.from({ length: POINTS }, (_, index) => {
    const angle = (index / POINTS) * 2 * Math.PI;
    const at = screenFromImage(placement, { x: x + mark.radius_px[0] * Math.cos(angle), y: y + mark.radius_px[1] * Math.sin(angle) });
    const [dx, dy] = [at.x - center.x, at.y - center.y];
    const grow = Math.max(1, RADIUS_MIN / Math.max(Math.hypot(dx, dy), 1e-6));
    return { x: center.x + dx * grow, y: center.y + dy * grow };
  });
}

export function drawFoundMarks(context: CanvasRenderingContext2D, marks: readonly FoundMark[], chosen: number | null, placement: Placement): void {
  for (const mark of marks) {
    const points = rim(mark, placement);
    const colour = mark.number === chosen ? CHOSEN : LINE;
    for (const [style, width] of [[HALO, 4], [colour, 2]] as const) {
      context.beginPath();
      points.forEach(({ x, y }, index) => {
        if (index === 0) context.moveTo(x, y);
        else context.lineTo(x, y);
      });
      context.closePath();
      context.strokeStyle = style;
      context.lineWidth = width;
      context.stroke();
    }
    const right = points.reduce((best, point) => (point.x > best.x ? point : best));
    context.font = FONT;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.lineWidth = 3;
    context.strokeStyle = HALO;
    context.strokeText(String(mark.number), right.x + 4, right.y);
    context.fillStyle = colour;
    context.fillText(String(mark.number), right.x + 4, right.y);
  }
}
