// The 3-D view of the opened series: what is wanted (look, eye, window, slab), what has come, and the stream between.
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import type { Point, Size } from "../image/placement";
import { draggedWindow, type Window } from "../image/voi";
import * as opened from "../state/opened";
import * as viewer from "../state/viewer";
import { hiddenOf } from "../state/structures";
import { deeper, from, moved, nearer, plus, rolled, turned, type Eye, type Side, type Vector } from "./eye";
import { longer, placed } from "./path";
import { PictureStream, type Picture, type PictureRequest, type Scene } from "./stream";

/** What dragging does. */
export type Tool = "turn" | "pan" | "zoom" | "window" | "path";

/** A coloured volume, a projection of all of it, a plane with a thickness, or a slab straightened along the path. */
export type Look =
  | { kind: "volume"; preset: string }
  | { kind: "projection"; method: "maximum" | "minimum" | "average" }
  | { kind: "plane"; side: Side }
  | { kind: "curve" };

export interface Arrived {
  bitmap: ImageBitmap;
  still: boolean;
  seq: number;
}

export const volumeOpen = signal(false);
export const scene = signal<Scene | null>(null);
export const look = signal<Look>({ kind: "volume", preset: "bone" });
export const eye = signal<Eye | null>(null);
export const window3d = signal<Window>({ center: 40, width: 400 });
/** How much of the volume is cut away from the front, millimetres. */
export const cutMm = signal(0);
/** The finding whose labels lie over the volume. */
export const overlayId = signal<string | null>(null);
/** Points along a vessel, patient mm. */
export const path = signal<readonly Vector[]>([]);
/** How far the straightened slab is turned around the path. */
export const aroundDeg = signal(0);
export const slabMm = signal(0);
export const slabMethod = signal<"maximum" | "minimum" | "average">("average");
export const tool = signal<Tool>("turn");
export const arrived = signal<Arrived | null>(null);
export const problem = signal<string | null>(null);
export const paneSize = signal<Size>({ width: 1, height: 1 });

/** Findings of this series that can lie over its volume. */
export const overlays = computed(() => opened.currentFindings.value.filter((one) =>
  one.series_uid === opened.series.value?.uid && (one.structures !== null || one.lesions.length > 0 || (one.kind === "nodules" && (one.marks?.marks.length ?? 0) > 0))));

/** Pixels of a still: what a 1920 x 1200 pane has. Larger panes are drawn a little coarser. */
const PIXELS_MAX = 1920 * 1200;
/** What the body fills of the picture at first. */
const MARGIN = 0.86;
const SLAB_MAX_MM = 100;

let stream: PictureStream | null = null;
let seriesPath: string | null = null;
let request = 0;
let asked = 0;
let moving = false;

export function openVolume(): void {
  volumeOpen.value = true;
}

export function closeVolume(): void {
  volumeOpen.value = false;
}

/** Opens and closes the stream with the pane and the series. Runs for as long as the page. */
export function followVolume(): void {
  effect(() => {
    const { value: to } = streamed;
    untracked(() => {
      disconnect();
      if (to !== null) connect(to);
    });
  });
  effect(() => {
    // Whatever of these changes, another picture is wanted.
    [look, eye, window3d, slabMm, slabMethod, cutMm, path, aroundDeg, paneSize, scene].map((one): unknown => one.value);
    schedule();
  });
}

/** Where the stream of what is open comes from; another overlay is another stream. A string, so that a study that is read
 * again and is the same changes nothing. */
const streamed = computed<string | null>(() => {
  const study = opened.study.value?.uid;
  const { value: current } = opened.series;
  if (!volumeOpen.value || study === undefined || current?.stack == null) return null;
  const finding = overlays.value.find(({ id }) => id === overlayId.value);
  const wanted = new URLSearchParams();
  if (finding !== undefined) wanted.set("finding", finding.id);
  if (finding?.structures != null) wanted.set("hidden", hiddenOf(finding).join(","));
  // The digest is for us: more images are another volume.
  return `/api/studies/${encodeURIComponent(study)}/series/${encodeURIComponent(current.uid)}/pictures?${wanted.toString()}#${current.stack.digest}`;
});

export function reconnect(): void {
  disconnect();
  if (streamed.value !== null) connect(streamed.value);
}

function connect(to: string): void {
  const address = new URL(to, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.hash = "";
  if (seriesPath !== address.pathname) {
    // What was set in one volume is nowhere in another.
    seriesPath = address.pathname;
    batch(() => {
      eye.value = null;
      path.value = [];
      cutMm.value = 0;
      if (look.peek().kind === "curve") look.value = { kind: "plane", side: "f" };
    });
  }
  stream = new PictureStream(address.href, { scene: begin, picture: (picture) => void show(picture), problem: fail });
}

function disconnect(): void {
  stream?.close();
  stream = null;
  asked = 0;
  batch(() => {
    arrived.peek()?.bitmap.close();
    arrived.value = null;
    scene.value = null;
    problem.value = null;
  });
}

function begin(told: Scene): void {
  batch(() => {
    const again = eye.peek() !== null;
    scene.value = told;
    if (again) return;
    window3d.value = { center: told.window[0], width: told.window[1] };
    const current = look.peek();
    if (current.kind === "volume" && !told.presets.includes(current.preset)) {
      look.value = { kind: "volume", preset: told.presets[0] ?? "bone" };
    }
    eye.value = whole(current.kind === "plane" ? current.side : "a", told);
  });
}

function whole(side: Side, told: Scene): Eye {
  return from(side, told.center_mm, (2 * told.radius_mm) * MARGIN);
}

function fail(sentence: string, seq: number | null): void {
  if (seq === null || seq === asked) problem.value = sentence;
}

async function show(picture: Picture): Promise<void> {
  const mine = stream;
  const bitmap = await createImageBitmap(picture.file);
  const before = arrived.peek();
  // Pictures decode side by side; an older one never replaces a newer one, nor a preview its still.
  const stale = before !== null && (picture.seq < before.seq || (picture.seq === before.seq && before.still));
  if (mine !== stream || stale) {
    bitmap.close();
    return;
  }
  before?.bitmap.close();
  batch(() => {
    arrived.value = { bitmap, still: picture.still, seq: picture.seq };
    problem.value = null;
  });
}

/** Whether what is on the screen is the still of what was asked last. */
export function isSettled(): boolean {
  const { value } = arrived;
  return value?.still === true && value.seq === asked;
}

/** One request for each picture of the display, of what then is the newest. */
function schedule(): void {
  if (request === 0) request = requestAnimationFrame(ask);
}

function ask(): void {
  request = 0;
  const wanted = requestOf();
  if (wanted !== null && stream !== null) asked = stream.ask(wanted);
}

function requestOf(): PictureRequest | null {
  const { value: at } = eye;
  const { value: told } = scene;
  if (at === null || told === null) return null;
  const size = paneSize.value;
  const ratio = Math.min(globalThis.devicePixelRatio || 1, Math.sqrt(PIXELS_MAX / (size.width * size.height)));
  const { value: chosen } = look;
  const { center, width } = window3d.value;
  return {
    width: Math.max(1, Math.round(size.width * ratio)),
    height: Math.max(1, Math.round(size.height * ratio)),
    viewpoint: {
      position: plus(at.center, at.into, -2 * told.radius_mm),
      look_at: at.center,
      up: plus([0, 0, 0], at.down, -1),
      height_mm: at.heightMm,
    },
    moving,
    window: [center, width],
    ...(chosen.kind === "volume" ? { method: "volume", preset: chosen.preset } : {}),
    ...(chosen.kind === "projection" ? { method: chosen.method } : {}),
    ...(chosen.kind === "plane" ? { method: slabMethod.value, slab_mm: slabMm.value } : {}),
    ...(chosen.kind === "curve" ? { method: slabMethod.value, slab_mm: slabMm.value, path: path.value, around_deg: aroundDeg.value } : {}),
    ...(cutMm.value > 0 && isThick(chosen) ? { keep: { point: plus(told.center_mm, at.into, cutMm.value - told.radius_mm), normal: at.into } } : {}),
  } as PictureRequest;
}

/** Volumes and projections are looked at from outside, and may be cut open. */
export function isThick(chosen: Look): boolean {
  return chosen.kind === "volume" || chosen.kind === "projection";
}

/** A hand takes hold of the picture or lets go of it; in between the box sends previews. */
export function hold(held: boolean): void {
  if (moving === held) return;
  moving = held;
  if (!held) schedule();
}

function change(changed: (at: Eye) => Eye): void {
  const { value: at } = eye;
  if (at !== null) eye.value = changed(at);
}

export function turn(dx: number, dy: number): void {
  change((at) => turned(at, dx, dy, paneSize.value));
}

export function roll(angle: number): void {
  change((at) => rolled(at, angle));
}

export function pan(dx: number, dy: number): void {
  change((at) => moved(at, dx, dy, paneSize.value));
}

export function zoom(factor: number, about?: Point): void {
  const size = paneSize.value;
  change((at) => nearer(at, factor, about ?? { x: size.width / 2, y: size.height / 2 }, size));
}

/** Through the planes; around a path; into a volume that is cut open. */
export function scroll(steps: number): void {
  if (look.value.kind === "curve") aroundDeg.value = (aroundDeg.value + 5 * steps) % 360;
  else change((at) => deeper(at, steps));
}

/** More or less is cut away from the front. */
export function cut(mm: number): void {
  const { value: told } = scene;
  if (told !== null && isThick(look.value)) cutMm.value = Math.max(0, Math.min(2 * told.radius_mm, cutMm.value + mm));
}

/** A point of the path on the plane that is looked at. */
export function setPoint(at: Point): void {
  const { value: from } = eye;
  if (from !== null && look.value.kind === "plane") path.value = longer(path.value, placed(from, at, paneSize.value));
}

export function dropPoint(): void {
  path.value = path.value.slice(0, -1);
  if (path.value.length < 2 && look.value.kind === "curve") look.value = { kind: "plane", side: "f" };
}

export function dropPath(): void {
  batch(() => {
    path.value = [];
    if (look.value.kind === "curve") look.value = { kind: "plane", side: "f" };
  });
}

export function dragWindow(start: Window, dx: number, dy: number): void {
  window3d.value = draggedWindow(start, dx, dy);
}

export function thicken(mm: number): void {
  slabMm.value = Math.max(0, Math.min(SLAB_MAX_MM, slabMm.value + mm));
}

export function standAt(side: Side): void {
  const { value: told } = scene;
  const { value: at } = eye;
  if (told === null || at === null) return;
  batch(() => {
    eye.value = { ...from(side, at.center, at.heightMm) };
    if (!isThick(look.value)) look.value = { kind: "plane", side };
  });
}

export function choose(next: Look): void {
  const { value: told } = scene;
  batch(() => {
    const was = look.value;
    if (next.kind === "curve" && path.value.length < 2) return;
    look.value = next;
    if (told === null || next.kind === "curve") return;
    // Planes and volumes are looked at from elsewhere; another colour keeps the eye where it is.
    if (next.kind === "plane") eye.value = whole(next.side, told);
    else if (!isThick(was)) eye.value = whole("a", told);
  });
}

export function resetVolume(): void {
  const { value: told } = scene;
  const { value: chosen } = look;
  if (told === null) return;
  batch(() => {
    eye.value = whole(chosen.kind === "plane" ? chosen.side : "a", told);
    window3d.value = { center: told.window[0], width: told.window[1] };
    slabMm.value = 0;
    cutMm.value = 0;
    aroundDeg.value = 0;
  });
}

export function unitOf(): string {
  return scene.value?.unit === "HU" ? "HU" : "stored values";
}

/** Keys belong to the 3-D view while it is open and nothing lies over it. */
export function volumeHasKeys(): boolean {
  return volumeOpen.value && !viewer.keysShown.value;
}
