// The 3-D view: the newest picture of the box, and what is written over it. Canvas2D only; the box draws.
import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { prepared } from "../image/painter";
import { series, study } from "../state/opened";
import * as words from "../state/words";
import { letters, opposite } from "./eye";
import { attachVolumeGestures } from "./gestures";
import * as volume from "./state";
import { lookName } from "./words";

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
    if (context === null || picture === null) return;
    context.imageSmoothingEnabled = true;
    context.drawImage(picture.bitmap, 0, 0, size.width, size.height);
    if (volume.isSettled()) document.documentElement.dataset.volume = "still";
    else delete document.documentElement.dataset.volume;
  };
  const stop = effect(() => {
    [volume.arrived, volume.paneSize].map((one): unknown => one.value);
    if (request === 0) request = requestAnimationFrame(paint);
  });
  return () => {
    stop();
    cancelAnimationFrame(request);
    delete document.documentElement.dataset.volume;
  };
}

function description(): string {
  const at = volume.eye.value;
  if (at === null) return "No 3-D picture yet";
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
        {look.kind === "plane" && <span>{volume.slabMm.value === 0 ? "Plane without thickness" : `Slab ${words.number(volume.slabMm.value)} mm, ${volume.slabMethod.value}`}</span>}
        {look.kind !== "volume" && <span>W {Math.round(width)}  L {Math.round(center)} {volume.unitOf()}</span>}
        <span>Height {words.number(Math.round(at.heightMm))} mm</span>
      </div>
      <div class="corner bottom-right"><Badge /></div>
      <span class="edge left">{letters(opposite(at.right))}</span>
      <span class="edge right">{letters(at.right)}</span>
      <span class="edge top">{letters(opposite(at.down))}</span>
      <span class="edge bottom">{letters(at.down)}</span>
    </div>
  );
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
