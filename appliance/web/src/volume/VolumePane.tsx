// The 3-D view: the newest picture of the box, and what is written over it. Canvas2D only; the box draws.
import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { prepared } from "../image/painter";
import { series, study } from "../state/opened";
import * as structures from "../state/structures";
import * as words from "../state/words";
import type { Size } from "../image/placement";
import { letters, opposite } from "./eye";
import { lengthMm, seen } from "./path";
import { attachVolumeGestures } from "./gestures";
import * as volume from "./state";
import { lookName } from "./words";

const POINT_PX = 4;
/** A point so far from the plane is still seen as lying on it. */
const ON_PLANE_MM = 1.5;
const PATH_LINE = "rgb(79 209 232 / 0.8)";
const PATH_POINT = "#4fd1e8";
const PATH_FAR = "rgb(79 209 232 / 0.25)";

export function VolumePane() {
  const area = useRef<HTMLDivElement>(null);
  const image = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    if (area.current === null || image.current === null) return;
    const stops = [followSize(area.current), attachVolumeGestures(area.current), paintOn(image.current)];
    return () => {
      for (const stop of stops) stop();
    };
  }, []);

  return (
    <section class="viewport" aria-label="3-D view">
      <div class={`image-area volume-area tool-${volume.tool.value}`} ref={area}>
        <canvas ref={image} data-testid="volume" role="img" aria-label={description()} />
        <VolumeCorners />
        <VolumeNote />
      </div>
      <p class="sr-only" aria-live="polite">{volume.isSettled() ? description() : ""}</p>
    </section>
  );
}

function followSize(area: HTMLElement): () => void {
  const measure = (): void => {
    const { width, height } = area.getBoundingClientRect();
    if (width > 0 && height > 0) volume.paneSize.value = { width, height };
  };
  measure();
  const observer = new ResizeObserver(measure);
  observer.observe(area);
  return () => {
    observer.disconnect();
  };
}

/** A preview is enlarged to the pane; a still fills it pixel by pixel. */
function paintOn(canvas: HTMLCanvasElement): () => void {
  let request = 0;
  const paint = (): void => {
    request = 0;
    const size = volume.paneSize.peek();
    const context = prepared(canvas, size);
    const picture = volume.arrived.peek();
    if (!volume.isSettled()) delete document.documentElement.dataset.volume;
    if (context === null || picture === null) return;
    context.imageSmoothingEnabled = true;
    context.drawImage(picture.bitmap, 0, 0, size.width, size.height);
    drawPath(context, size);
    if (volume.isSettled()) document.documentElement.dataset.volume = "still";
  };
  const stop = effect(() => {
    [volume.arrived, volume.paneSize, volume.path, volume.look, volume.eye].map((one): unknown => one.value);
    if (request === 0) request = requestAnimationFrame(paint);
  });
  return () => {
    stop();
    cancelAnimationFrame(request);
    delete document.documentElement.dataset.volume;
  };
}

/** Points that a reader set: full on the plane, faint before and behind it. */
function drawPath(context: CanvasRenderingContext2D, size: Size): void {
  const { value: at } = volume.eye;
  if (at === null || volume.look.value.kind !== "plane") return;
  const points = volume.path.value.map((point) => seen(at, point, size));
  const reach = Math.max(ON_PLANE_MM, volume.slabMm.value / 2);
  context.strokeStyle = PATH_LINE;
  context.lineWidth = 1;
  context.beginPath();
  points.forEach(({ x, y }, index) => {
    if (index === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  });
  context.stroke();
  for (const { x, y, behindMm } of points) {
    context.beginPath();
    context.arc(x, y, POINT_PX, 0, 2 * Math.PI);
    context.fillStyle = Math.abs(behindMm) <= reach ? PATH_POINT : PATH_FAR;
    context.fill();
    context.stroke();
  }
}

function description(): string {
  const at = volume.eye.value;
  if (at === null) return "No 3-D picture yet";
  if (volume.look.value.kind === "curve") return `${lookName(volume.look.value)}, its beginning at the top, ${words.number(Math.round(lengthMm(volume.path.value)))} mm long`;
  return `${lookName(volume.look.value)}, the top of the picture towards ${letters(opposite(at.down))}, the right towards ${letters(at.right)}`;
}

function VolumeCorners() {
  const opened = study.value;
  const current = series.value;
  const at = volume.eye.value;
  if (opened === null || current === null || at === null) return null;
  const { value: look } = volume.look;
  const { center, width } = volume.window3d.value;
  const numbered = current.number === null ? "" : `Series ${current.number}`;
  return (
    <div class="corners">
      <div class="corner top-left">
        <span class="name">{words.personName(opened.patient_name)}</span>
        <span>{words.date(opened.study_date)} {words.time(opened.study_time)}</span>
        <span class="spare">{[numbered, current.description].filter((part) => part !== "").join(": ")}</span>
      </div>
      <div class="corner top-right">
        <span>{lookName(look)}</span>
        <span class="spare">drawn by the box, not for diagnosis</span>
      </div>
      <div class="corner bottom-left">
        <Legend />
        {!volume.isThick(look) && <span>{volume.slabMm.value === 0 ? "Plane without thickness" : `Slab ${words.number(volume.slabMm.value)} mm, ${volume.slabMethod.value}`}</span>}
        {look.kind !== "volume" && <span>W {Math.round(width)}  L {Math.round(center)} {volume.unitOf()}</span>}
        {look.kind === "curve"
          ? <span>Path {words.number(Math.round(lengthMm(volume.path.value)))} mm, turned {Math.round(volume.aroundDeg.value)}°</span>
          : <span>Height {words.number(Math.round(at.heightMm))} mm</span>}
        {volume.cutMm.value > 0 && volume.isThick(look) && <span>{Math.round(volume.cutMm.value)} mm cut away from the front</span>}
      </div>
      <div class="corner bottom-right"><Badge /></div>
      {look.kind !== "curve" && (
        <>
          <span class="edge left">{letters(opposite(at.right))}</span>
          <span class="edge right">{letters(at.right)}</span>
          <span class="edge top">{letters(opposite(at.down))}</span>
          <span class="edge bottom">{letters(at.down)}</span>
        </>
      )}
    </div>
  );
}

/** What the colours over the volume are. */
function Legend() {
  const { value: told } = volume.scene;
  if (told === null || !volume.isThick(volume.look.value)) return null;
  return (
    <>
      {told.legend.filter(({ label }) => volume.overlayId.value !== null && !isHidden(label)).map(({ label, name, colour }) => (
        <span key={label} class="shade"><i style={{ background: `rgb(${colour.join(" ")})` }} /> {name}</span>
      ))}
    </>
  );
}

function isHidden(label: number): boolean {
  const over = volume.overlays.value.find(({ id }) => id === volume.overlayId.value);
  return over?.structures != null && structures.isHidden(over, label);
}

/** What the reader may trust: a preview says that it is one. */
function Badge() {
  const { value: picture } = volume.arrived;
  if (picture === null) return <span class="quality">○ Drawing…</span>;
  if (picture.still) return <span class="quality" data-testid="volume-quality">● Lossless</span>;
  return <span class="quality preview" data-testid="volume-quality">◐ Interactive preview</span>;
}

/** Why there is no picture, or that it is on its way. */
function VolumeNote() {
  const problem = volume.problem.value;
  const current = series.value;
  if (problem !== null) {
    return (
      <div class="frame-note problem" role="alert">
        <strong>No 3-D picture.</strong> {problem}{" "}
        <button type="button" onClick={volume.reconnect}>Try again</button>
      </div>
    );
  }
  if (current !== null && current.stack === null) {
    return <p class="frame-note"><strong>This series cannot be shown in 3-D.</strong> {current.stack_problem}</p>;
  }
  if (volume.scene.value === null) return <p class="frame-note quiet">The box is making the volume ready…</p>;
  return null;
}
