// Every key of the 3-D view, once: the handler, the help and the tests all read this table.
import type { Binding } from "../viewport/keys";
import { PRESETS } from "../image/voi";
import * as volume from "./state";
import type { Side } from "./eye";

/** A key press turns as far as a drag of this part of the picture's height: 5 degrees. */
const TURN_PART = 5 / 180;
const PAN_STEP_PX = 60;
const ZOOM_STEP = 1.25;
const ROLL = Math.PI / 36;
const WINDOW_STEP_PX = 10;

interface VolumeBinding {
  key: Binding["key"];
  does: string;
  act: () => void;
}

const isPlane = (): boolean => !volume.isThick(volume.look.value);

function arrow(x: number, y: number): void {
  if (isPlane()) {
    volume.scroll(x + y);
    return;
  }
  const step = volume.paneSize.value.height * TURN_PART;
  volume.turn(x * step, y * step);
}

function thicker(steps: number): void {
  if (isPlane()) volume.thicken(steps);
  else volume.cut(5 * steps);
}

function preset(number: number): void {
  const name = volume.scene.value?.presets[number];
  if (name !== undefined) volume.choose({ kind: "volume", preset: name });
}

function windowBy(dx: number, dy: number): void {
  volume.dragWindow(volume.window3d.value, dx, dy);
}

const side = (letter: Side, does: string): VolumeBinding => ({ key: letter, does, act: () => { volume.standAt(letter); } });

export const VOLUME_BINDINGS: readonly VolumeBinding[] = [
  { key: "ArrowLeft", does: "Turn to the left; in planes one millimetre back", act: () => { arrow(-1, 0); } },
  { key: "ArrowRight", does: "Turn to the right; in planes one millimetre on", act: () => { arrow(1, 0); } },
  { key: "ArrowUp", does: "Turn upwards; in planes one millimetre back", act: () => { arrow(0, -1); } },
  { key: "ArrowDown", does: "Turn downwards; in planes one millimetre on", act: () => { arrow(0, 1); } },
  { key: "PageUp", does: "Ten millimetres back", act: () => { volume.scroll(-10); } },
  { key: "PageDown", does: "Ten millimetres on", act: () => { volume.scroll(10); } },
  { key: ",", does: "Roll to the left", act: () => { volume.roll(-ROLL); } },
  { key: ".", does: "Roll to the right", act: () => { volume.roll(ROLL); } },
  { key: "+", does: "Zoom in", act: () => { volume.zoom(ZOOM_STEP); } },
  { key: "-", does: "Zoom out", act: () => { volume.zoom(1 / ZOOM_STEP); } },
  { key: "Control+ArrowLeft", does: "Move left", act: () => { volume.pan(-PAN_STEP_PX, 0); } },
  { key: "Control+ArrowRight", does: "Move right", act: () => { volume.pan(PAN_STEP_PX, 0); } },
  { key: "Control+ArrowUp", does: "Move up", act: () => { volume.pan(0, -PAN_STEP_PX); } },
  { key: "Control+ArrowDown", does: "Move down", act: () => { volume.pan(0, PAN_STEP_PX); } },
  side("a", "From the front"),
  side("p", "From the back"),
  side("l", "From the left"),
  side("r", "From the right"),
  side("h", "From the head"),
  side("f", "From the feet"),
  ...[1, 2, 3, 4].map((number): VolumeBinding => ({
    key: String(number),
    does: `Look ${number} of the list`,
    act: () => { preset(number - 1); },
  })),
  { key: "x", does: "Maximum (MIP)", act: () => { volume.choose({ kind: "projection", method: "maximum" }); } },
  { key: "n", does: "Minimum (MinIP)", act: () => { volume.choose({ kind: "projection", method: "minimum" }); } },
  { key: "m", does: "Average", act: () => { volume.choose({ kind: "projection", method: "average" }); } },
  { key: "u", does: "Axial plane", act: () => { volume.choose({ kind: "plane", side: "f" }); } },
  { key: "i", does: "Coronal plane", act: () => { volume.choose({ kind: "plane", side: "a" }); } },
  { key: "o", does: "Sagittal plane", act: () => { volume.choose({ kind: "plane", side: "l" }); } },
  { key: "]", does: "Slab one millimetre thicker; five more cut away from a volume", act: () => { thicker(1); } },
  { key: "[", does: "Slab one millimetre thinner; five less cut away", act: () => { thicker(-1); } },
  { key: "c", does: "Straighten the slab along the path that was set", act: () => { volume.choose({ kind: "curve" }); } },
  { key: "Backspace", does: "Take the last point of the path away", act: volume.dropPoint },
  { key: "Shift+ArrowRight", does: "Window wider", act: () => { windowBy(WINDOW_STEP_PX, 0); } },
  { key: "Shift+ArrowLeft", does: "Window narrower", act: () => { windowBy(-WINDOW_STEP_PX, 0); } },
  { key: "Shift+ArrowUp", does: "Window lower (brighter)", act: () => { windowBy(0, -WINDOW_STEP_PX); } },
  { key: "Shift+ArrowDown", does: "Window higher (darker)", act: () => { windowBy(0, WINDOW_STEP_PX); } },
  { key: " ", does: "Reset the 3-D view", act: volume.resetVolume },
];

const ACTS = new Map(VOLUME_BINDINGS.map(({ key, act }) => [key, act]));

/** What a key does in the 3-D view, or null where it is not one of its keys. */
export function volumeActOf(press: Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "altKey" | "metaKey">): (() => void) | null {
  if (press.altKey || press.metaKey) return null;
  if (press.key.length === 1) return press.ctrlKey ? null : (ACTS.get(press.key.toLowerCase()) ?? null);
  const held = press.ctrlKey ? "Control+" : press.shiftKey ? "Shift+" : "";
  return ACTS.get(held + press.key) ?? null;
}

/** Windows that planes and projections are often looked at with. */
export const WINDOWS = PRESETS;
