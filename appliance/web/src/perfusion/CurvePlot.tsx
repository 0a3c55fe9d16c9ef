// Enhancement over time in the artery, the vein and the voxel under the pointer, and what can be made of a voxel.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { InletCurve, PerfusionPart } from "../api/types";
import * as state from "./state";

const ARTERY = "#ff6b6b";
const VEIN = "#6ea8ff";
const VOXEL = "#ffb020";
const QUIET = "#9aa6b1";
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- uPlot's enum is a constant one, which a single file cannot read
const RIGHT: uPlot.Axis.Side = 1;
/** A disc that takes in the voxel and its neighbours. */
const INLET_RADIUS_PX = 1.5;

export function CurvePlot() {
  const part = state.perfusion.value?.perfusion;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const voxelCurve = state.curve.value;

  useEffect(() => {
    const parent = place.current;
    if (parent === null || part === undefined) return;
    const made = new uPlot(options(parent, part.arrival_s), data(part, null), parent);
    plot.current = made;
    const observer = new ResizeObserver(() => { made.setSize(sizeOf(parent)); });
    observer.observe(parent);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [part]);

  useEffect(() => {
    if (part !== undefined) plot.current?.setData(data(part, voxelCurve?.enhancement_hu ?? null));
  }, [part, voxelCurve]);

  if (part === undefined) return null;
  return (
    <div class="curves">
      <div class="curve-plot" ref={place} role="img" aria-label="Enhancement over time in artery, vein and voxel" />
      <div class="curve-side" data-curve={voxelCurve === null ? "none" : "voxel"}>
        <p class="curve-key"><i style={{ background: ARTERY }} />Artery <span class="quiet">{inletWords(part.artery)}</span></p>
        <p class="curve-key">
          <i style={{ background: VEIN }} />Vein <span class="quiet">{part.vein === null ? "not found" : inletWords(part.vein)}</span>
        </p>
        <p class="curve-key"><i style={{ background: VOXEL }} />Voxel <span class="quiet">{voxelWords()}</span></p>
        <Pinned />
        {state.curveNote.value !== null && <p class="quiet">{state.curveNote.value}</p>}
        {state.problem.value !== null && <p class="problem" role="alert">{state.problem.value}</p>}
      </div>
    </div>
  );
}

function Pinned() {
  const at = state.pinned.value;
  if (at === null) return <p class="quiet">Point at a map for its curve; click to hold it.</p>;
  const spot = { center_px: [at.column, at.row], slice: at.slice, radius_px: INLET_RADIUS_PX };
  return (
    <div class="buttons">
      <button type="button" onClick={() => { void state.computeAgain({ artery: spot }); }}>Use as artery</button>
      <button type="button" onClick={() => { void state.computeAgain({ vein: spot }); }}>Use as vein</button>
      <button type="button" onClick={() => { state.pinned.value = null; }}>Let go</button>
    </div>
  );
}

function inletWords(curve: InletCurve): string {
  const slices = [...new Set(curve.voxels.map((voxel) => (voxel[2] ?? 0) + 1))].sort((a, b) => a - b);
  const where = slices.length > 1 ? `slices ${slices[0] ?? ""}–${slices[slices.length - 1] ?? ""}` : `slice ${slices[0] ?? ""}`;
  return `${curve.voxels.length}${curve.voxels_truncated ? "+" : ""} voxels, ${where}`;
}

function voxelWords(): string {
  const at = state.voxel.value;
  return at === null ? "" : `column ${at.column}, row ${at.row}, slice ${at.slice + 1}`;
}

function data(part: PerfusionPart, voxel: readonly number[] | null): uPlot.AlignedData {
  const none = part.times_s.map(() => null);
  return [part.times_s, part.artery.enhancement_hu, part.vein?.enhancement_hu ?? none, voxel === null ? none : [...voxel]];
}

function sizeOf(parent: HTMLElement): { width: number; height: number } {
  return { width: Math.max(200, parent.clientWidth), height: Math.max(120, parent.clientHeight) };
}

function options(parent: HTMLElement, arrival: number): uPlot.Options {
  const axis: uPlot.Axis = { stroke: QUIET, grid: { stroke: "#1c242b" }, ticks: { stroke: "#262e36" }, font: "12px system-ui", labelFont: "12px system-ui" };
  const line = (label: string, stroke: string): uPlot.Series => ({ label, stroke, width: 2, points: { show: false } });
  return {
    ...sizeOf(parent),
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { time: false } },
    // Tissue enhances by a tenth of what an artery does: it has an axis of its own.
    axes: [
      { ...axis, label: "s", labelSize: 18, size: 32 },
      { ...axis, label: "HU, artery and vein", labelSize: 18, size: 44 },
      { ...axis, scale: "voxel", side: RIGHT, stroke: VOXEL, grid: { show: false }, label: "HU, voxel", labelSize: 18, size: 40 },
    ],
    series: [{}, line("Artery", ARTERY), line("Vein", VEIN), { ...line("Voxel", VOXEL), scale: "voxel" }],
    hooks: { draw: [(drawn) => { drawArrival(drawn, arrival); }] },
  };
}

/** A dashed line where the bolus reached the artery: the zero of TTP. */
function drawArrival(drawn: uPlot, arrival: number): void {
  const x = drawn.valToPos(arrival, "x", true);
  const { ctx, bbox } = drawn;
  ctx.save();
  ctx.strokeStyle = QUIET;
  ctx.setLineDash([4, 4]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.fillStyle = QUIET;
  ctx.textAlign = "left";
  ctx.fillText("bolus arrives", x + 6, bbox.top + 12);
  ctx.restore();
}
