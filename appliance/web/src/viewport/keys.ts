// Every key the viewer knows, once: the handler, the help and the tests all read this table.
import type { Vessel } from "../api/types";
import { PRESETS } from "../image/voi";
import { PLACES } from "../state/vessels";

export type Action =
  | "slice_down" | "slice_up" | "page_down" | "page_up" | "first_slice" | "last_slice" | "cine"
  | `preset_${number}`
  | `vessel_${Vessel}` | "accept_proposal" | "unassign"
  | "wider" | "narrower" | "darker" | "brighter" | "invert"
  | "zoom_in" | "zoom_out" | "pan_left" | "pan_right" | "pan_up" | "pan_down"
  | "flip_horizontal" | "flip_vertical" | "turn_right" | "turn_left" | "reset"
  | "next_lesion" | "previous_lesion" | "toggle_lesions"
  | "tool_window" | "tool_scroll" | "tool_pan" | "tool_zoom" | "tool_circle" | "tool_polygon"
  | "toggle_volume" | "show_keys" | "close";

export interface Binding {
  /** `KeyboardEvent.key`, letters in lower case, with "Shift+" or "Control+" before named keys. */
  key: string;
  action: Action;
  does: string;
}

export interface BindingGroup {
  name: string;
  bindings: readonly Binding[];
}

export const BINDING_GROUPS: readonly BindingGroup[] = [
  {
    name: "Slices",
    bindings: [
      { key: "ArrowDown", action: "slice_down", does: "One slice down (towards the feet)" },
      { key: "ArrowUp", action: "slice_up", does: "One slice up (towards the head)" },
      { key: "ArrowRight", action: "slice_down", does: "One slice down" },
      { key: "ArrowLeft", action: "slice_up", does: "One slice up" },
      { key: "PageDown", action: "page_down", does: "Ten slices down" },
      { key: "PageUp", action: "page_up", does: "Ten slices up" },
      { key: "Home", action: "first_slice", does: "To the top of the stack" },
      { key: "End", action: "last_slice", does: "To the bottom of the stack" },
      { key: "c", action: "cine", does: "Play or stop (cine)" },
    ],
  },
  {
    name: "Lesions and regions",
    bindings: [
      { key: "n", action: "next_lesion", does: "Next lesion" },
      { key: "b", action: "previous_lesion", does: "Previous lesion" },
      { key: "m", action: "toggle_lesions", does: "Show or hide lesion marks" },
      { key: "o", action: "tool_circle", does: "Draw a circular region" },
      { key: "g", action: "tool_polygon", does: "Draw a freehand region" },
    ],
  },
  {
    name: "The chosen lesion lies in",
    bindings: [
      ...PLACES.map((place): Binding => ({
        key: place.key,
        action: `vessel_${place.vessel}`,
        does: `${place.name === place.long ? place.name : `${place.name}, ${place.long}`}${place.counted ? "" : " (not counted)"}`,
      })),
      { key: "y", action: "accept_proposal", does: "Where it is proposed to lie" },
      { key: "Backspace", action: "unassign", does: "Take the assignment back" },
    ],
  },
  {
    name: "Window",
    bindings: [
      ...PRESETS.map((preset, index): Binding => ({
        key: preset.key,
        action: `preset_${index}`,
        does: `${preset.name}, ${preset.width} / ${preset.center}`,
      })),
      { key: "i", action: "invert", does: "Invert" },
      { key: "Shift+ArrowRight", action: "wider", does: "Wider (less contrast)" },
      { key: "Shift+ArrowLeft", action: "narrower", does: "Narrower (more contrast)" },
      { key: "Shift+ArrowUp", action: "brighter", does: "Lower centre (brighter)" },
      { key: "Shift+ArrowDown", action: "darker", does: "Higher centre (darker)" },
    ],
  },
  {
    name: "Picture",
    bindings: [
      { key: "+", action: "zoom_in", does: "Zoom in" },
      { key: "-", action: "zoom_out", does: "Zoom out" },
      { key: "Control+ArrowLeft", action: "pan_left", does: "Move left" },
      { key: "Control+ArrowRight", action: "pan_right", does: "Move right" },
      { key: "Control+ArrowUp", action: "pan_up", does: "Move up" },
      { key: "Control+ArrowDown", action: "pan_down", does: "Move down" },
      { key: "h", action: "flip_horizontal", does: "Flip left to right" },
      { key: "v", action: "flip_vertical", does: "Flip top to bottom" },
      { key: "r", action: "turn_right", does: "Turn right" },
      { key: "l", action: "turn_left", does: "Turn left" },
      { key: " ", action: "reset", does: "Reset window, zoom and turns" },
    ],
  },
  {
    name: "Pointer and help",
    bindings: [
      { key: "w", action: "tool_window", does: "Drag sets the window" },
      { key: "s", action: "tool_scroll", does: "Drag scrolls" },
      { key: "a", action: "tool_pan", does: "Drag moves the picture" },
      { key: "z", action: "tool_zoom", does: "Drag zooms" },
      { key: "j", action: "toggle_volume", does: "3-D view, and back to the slices" },
      { key: "?", action: "show_keys", does: "Show these keys" },
      { key: "Escape", action: "close", does: "Close, put down the tool, drop the drawing" },
    ],
  },
];

const ACTIONS = new Map(BINDING_GROUPS.flatMap((group) => group.bindings.map(({ key, action }) => [key, action] as const)));

export type KeyPress = Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "altKey" | "metaKey">;

/** The action of a key press, or null where the key is the browser's. */
export function actionOf(press: KeyPress): Action | null {
  if (press.altKey || press.metaKey) return null;
  const named = press.key.length > 1;
  if (press.ctrlKey) return named ? (ACTIONS.get(`Control+${press.key}`) ?? null) : null;
  // For characters, Shift is part of typing them ("?", "+") and Caps Lock must not matter.
  if (!named) return ACTIONS.get(press.key.toLowerCase()) ?? null;
  return ACTIONS.get(press.shiftKey ? `Shift+${press.key}` : press.key) ?? null;
}

/** How a key is written on the help page. */
export function keyCaps(key: string): string[] {
  const written: Record<string, string> = {
    " ": "Space", ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→",
    PageDown: "Page ↓", PageUp: "Page ↑", Escape: "Esc", Backspace: "⌫", Control: "Ctrl", "-": "−",
  };
  const parts = key.length > 1 ? key.split("+") : [key];
  return parts.map((part) => written[part] ?? (part.length === 1 ? part.toUpperCase() : part));
}
