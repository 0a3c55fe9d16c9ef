import { PRESETS } from "../image/voi";
import { finding } from "../state/opened";
import * as viewer from "../state/viewer";
import { Icon, type IconName } from "../shell/Icon";
import { perform } from "./actions";
import { CINE_SPEEDS } from "./cine";
import { BINDING_GROUPS, keyCaps, type Action } from "./keys";

const KEY_OF = new Map(BINDING_GROUPS.flatMap((group) => group.bindings.map(({ action, key }) => [action, key] as const)));

interface ToolButton {
  action: Action;
  icon: IconName;
  name: string;
  pressed?: boolean;
  disabled?: boolean;
}

function Tool({ action, icon, name, pressed, disabled = false }: ToolButton) {
  const key = KEY_OF.get(action);
  return (
    <button
      type="button"
      class="tool"
      aria-label={name}
      aria-pressed={pressed}
      aria-keyshortcuts={key === " " ? "Space" : key}
      disabled={disabled}
      title={key === undefined ? name : `${name} (${keyCaps(key).join(" ")})`}
      onClick={() => { perform(action); }}
    >
      <Icon name={icon} />
    </button>
  );
}

export function Toolbar() {
  const tool = viewer.tool.value;
  const noImage = viewer.shown.value === null;
  const noLesions = (finding.value?.lesions.length ?? 0) === 0;
  return (
    <div class="toolbar" role="toolbar" aria-label="Image tools">
      <div class="group" role="group" aria-label="What dragging does">
        <Tool action="tool_window" icon="window" name="Window" pressed={tool === "window"} />
        <Tool action="tool_scroll" icon="scroll" name="Scroll" pressed={tool === "scroll"} />
        <Tool action="tool_pan" icon="pan" name="Move" pressed={tool === "pan"} />
        <Tool action="tool_zoom" icon="zoom" name="Zoom" pressed={tool === "zoom"} />
      </div>
      <PresetChoice />
      <div class="group" role="group" aria-label="Lesions">
        <Tool action="previous_lesion" icon="previous" name="Previous lesion" disabled={noLesions} />
        <Tool action="next_lesion" icon="next" name="Next lesion" disabled={noLesions} />
        <Tool action="toggle_lesions" icon={viewer.lesionsVisible.value ? "marks" : "marksHidden"} name="Lesion marks" pressed={viewer.lesionsVisible.value} />
      </div>
      <div class="group" role="group" aria-label="Measure a region">
        <Tool action="tool_circle" icon="circle" name="Circular region" pressed={tool === "circle"} disabled={noImage} />
        <Tool action="tool_polygon" icon="polygon" name="Freehand region" pressed={tool === "polygon"} disabled={noImage} />
      </div>
      <div class="group" role="group" aria-label="Picture">
        <Tool action="invert" icon="invert" name="Invert" pressed={viewer.inverted.value} />
        <Tool action="flip_horizontal" icon="flipHorizontal" name="Flip left to right" />
        <Tool action="flip_vertical" icon="flipVertical" name="Flip top to bottom" />
        <Tool action="turn_left" icon="turnLeft" name="Turn left" />
        <Tool action="turn_right" icon="turnRight" name="Turn right" />
        <Tool action="reset" icon="reset" name="Reset the view" />
      </div>
      <div class="group" role="group" aria-label="Cine">
        <Tool action="cine" icon={viewer.cinePlaying.value ? "stop" : "play"} name={viewer.cinePlaying.value ? "Stop" : "Play"} pressed={viewer.cinePlaying.value} disabled={noImage} />
        {viewer.cinePlaying.value && <CineSpeed />}
      </div>
      <div class="group">
        <Tool action="toggle_volume" icon="volume" name="3-D view" disabled={noImage} />
      </div>
      <div class="group end">
        <Tool action="show_keys" icon="keys" name="Keys" />
      </div>
    </div>
  );
}

function PresetChoice() {
  const { center, width } = viewer.voiWindow.value;
  const at = PRESETS.findIndex((preset) => preset.center === center && preset.width === width);
  return (
    <label class="preset">
      <span class="sr-only">Window preset</span>
      <select
        value={at < 0 ? "" : String(at)}
        onChange={(event) => {
          if (event.currentTarget.value !== "") perform(`preset_${Number(event.currentTarget.value)}`);
          // The focus goes back to the page, or the next arrow key would change the preset instead of the slice.
          event.currentTarget.blur();
        }}
      >
        {at < 0 && <option value="">Window {width} / {center}</option>}
        {PRESETS.map((preset, index) => <option key={preset.key} value={String(index)}>{preset.name} {preset.width} / {preset.center}</option>)}
      </select>
    </label>
  );
}

function CineSpeed() {
  return (
    <label>
      <span class="sr-only">Slices per second</span>
      <select
        value={String(viewer.cineFramesPerSecond.value)}
        onChange={(event) => {
          viewer.cineFramesPerSecond.value = Number(event.currentTarget.value);
          event.currentTarget.blur();
        }}
      >
        {CINE_SPEEDS.map((speed) => <option key={speed} value={String(speed)}>{speed} / s</option>)}
      </select>
    </label>
  );
}
