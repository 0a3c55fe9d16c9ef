// The tools of the 3-D view.
import { Icon, type IconName } from "../shell/Icon";
import { perform } from "../viewport/actions";
import { WINDOWS } from "./keys";
import * as volume from "./state";
import { PLANE_NAMES, presetName, PROJECTION_NAMES, SIDE_NAMES } from "./words";

const TOOLS: readonly { tool: volume.Tool; icon: IconName; name: string }[] = [
  { tool: "turn", icon: "turnRight", name: "Turn" },
  { tool: "pan", icon: "pan", name: "Move" },
  { tool: "zoom", icon: "zoom", name: "Zoom" },
  { tool: "window", icon: "window", name: "Window" },
  { tool: "path", icon: "path", name: "Set points along a vessel" },
];

export function VolumeBar() {
  const { value: look } = volume.look;
  return (
    <div class="toolbar" role="toolbar" aria-label="3-D tools">
      <div class="group">
        <button class="tool named" type="button" aria-keyshortcuts="j" title="Back to the slices (J)" onClick={() => { perform("toggle_volume"); }}>
          <Icon name="scroll" /> Slices
        </button>
      </div>
      <LookChoice />
      <div class="group" role="group" aria-label="What dragging does">
        {TOOLS.filter(({ tool }) => (tool !== "window" || look.kind !== "volume") && (tool !== "path" || look.kind === "plane")).map(({ tool, icon, name }) => (
          <button key={tool} class="tool" type="button" aria-label={name} title={name} aria-pressed={volume.tool.value === tool} onClick={() => { volume.tool.value = tool; }}>
            <Icon name={icon} />
          </button>
        ))}
      </div>
      <div class="group" role="group" aria-label="Where the eye stands">
        {SIDE_NAMES.map(({ side, name }) => (
          <button key={side} class="tool letter" type="button" aria-label={name} title={`${name} (${side.toUpperCase()})`} onClick={() => { volume.standAt(side); }}>
            {side.toUpperCase()}
          </button>
        ))}
      </div>
      {!volume.isThick(look) && <Slab />}
      {volume.isThick(look) && <Cut />}
      {volume.overlays.value.length > 0 && volume.isThick(look) && <OverlayChoice />}
      {volume.path.value.length > 0 && !volume.isThick(look) && <Path />}
      {look.kind !== "volume" && volume.scene.value?.unit === "HU" && <WindowChoice />}
      <div class="group">
        <button class="tool" type="button" aria-label="Reset the 3-D view" title="Reset the 3-D view (Space)" onClick={volume.resetVolume}><Icon name="reset" /></button>
      </div>
      <div class="group end">
        <button class="tool" type="button" aria-label="Keys" title="Keys (?)" onClick={() => { perform("show_keys"); }}><Icon name="keys" /></button>
      </div>
    </div>
  );
}

function lookOf(value: string): volume.Look {
  const [kind = "", word = ""] = value.split(":");
  if (kind === "projection") return { kind, method: word as keyof typeof PROJECTION_NAMES };
  if (kind === "curve") return { kind };
  if (kind === "plane") return { kind, side: PLANE_NAMES.find(({ side }) => side === word)?.side ?? "f" };
  return { kind: "volume", preset: word };
}

function valueOf(look: volume.Look): string {
  switch (look.kind) {
    case "volume":
      return `volume:${look.preset}`;
    case "projection":
      return `projection:${look.method}`;
    case "plane":
      return `plane:${look.side}`;
    case "curve":
      return "curve:path";
  }
}

function LookChoice() {
  const presets = volume.scene.value?.presets ?? [];
  return (
    <label class="preset">
      <span class="sr-only">What is shown</span>
      <select
        data-testid="look"
        value={valueOf(volume.look.value)}
        onChange={(event) => {
          volume.choose(lookOf(event.currentTarget.value));
          // The focus goes back to the page, or the next arrow key would change the look instead of the view.
          event.currentTarget.blur();
        }}
      >
        <optgroup label="Volume">
          {presets.map((preset) => <option key={preset} value={`volume:${preset}`}>{presetName(preset)}</option>)}
        </optgroup>
        <optgroup label="Projection of everything">
          {Object.entries(PROJECTION_NAMES).map(([method, name]) => <option key={method} value={`projection:${method}`}>{name}</option>)}
        </optgroup>
        <optgroup label="Plane (MPR)">
          {PLANE_NAMES.map(({ side, name }) => <option key={side} value={`plane:${side}`}>{name}</option>)}
          {!PLANE_NAMES.some(({ side }) => `plane:${side}` === valueOf(volume.look.value)) && volume.look.value.kind === "plane" && (
            <option value={valueOf(volume.look.value)}>Plane</option>
          )}
          <option value="curve:path" disabled={volume.path.value.length < 2}>Straightened along the path</option>
        </optgroup>
      </select>
    </label>
  );
}

function Slab() {
  return (
    <div class="group slab" role="group" aria-label="Slab">
      <label>
        <span class="sr-only">Thickness</span>
        <input
          type="range"
          min={0}
          max={50}
          step={1}
          value={volume.slabMm.value}
          aria-valuetext={`${volume.slabMm.value} mm`}
          onInput={(event) => { volume.slabMm.value = Number(event.currentTarget.value); }}
        />
      </label>
      <output>{volume.slabMm.value} mm</output>
      <label>
        <span class="sr-only">What the slab shows</span>
        <select
          value={volume.slabMethod.value}
          onChange={(event) => {
            volume.slabMethod.value = event.currentTarget.value as keyof typeof PROJECTION_NAMES;
            event.currentTarget.blur();
          }}
        >
          {Object.entries(PROJECTION_NAMES).map(([method, name]) => <option key={method} value={method}>{name}</option>)}
        </select>
      </label>
    </div>
  );
}

/** How much is cut away from the front, so that the reader looks inside. */
function Cut() {
  const most = Math.round(2 * (volume.scene.value?.radius_mm ?? 0));
  return (
    <div class="group slab">
      <label>
        <span class="sr-only">Cut away from the front</span>
        <input
          type="range"
          data-testid="cut"
          title="Cut away from the front ([ and ])"
          min={0}
          max={most}
          step={1}
          value={volume.cutMm.value}
          aria-valuetext={`${Math.round(volume.cutMm.value)} mm cut away`}
          onPointerDown={() => { volume.hold(true); }}
          onPointerUp={() => { volume.hold(false); }}
          onInput={(event) => { volume.cutMm.value = Number(event.currentTarget.value); }}
        />
      </label>
      <output>{volume.cutMm.value === 0 ? "whole" : `${Math.round(volume.cutMm.value)} mm off`}</output>
    </div>
  );
}

/** Which finding lies over the volume. */
function OverlayChoice() {
  return (
    <label class="preset">
      <span class="sr-only">What lies over the volume</span>
      <select
        data-testid="overlay"
        value={volume.overlayId.value ?? ""}
        onChange={(event) => {
          volume.overlayId.value = event.currentTarget.value === "" ? null : event.currentTarget.value;
          event.currentTarget.blur();
        }}
      >
        <option value="">Nothing over it</option>
        {volume.overlays.value.map((one) => <option key={one.id} value={one.id}>{one.title}</option>)}
      </select>
    </label>
  );
}

/** The points set so far, and what becomes of them. */
function Path() {
  const { length } = volume.path.value;
  return (
    <div class="group" role="group" aria-label="Path along a vessel">
      <button class="tool named" type="button" disabled={length < 2} aria-keyshortcuts="c" title="Straighten along the path (C)" aria-pressed={volume.look.value.kind === "curve"} onClick={() => { volume.choose({ kind: "curve" }); }}>
        <Icon name="path" /> Straighten
      </button>
      <button class="tool named" type="button" title="Take all points away" onClick={volume.dropPath}>{length} {length === 1 ? "point" : "points"} <Icon name="close" /></button>
    </div>
  );
}

function WindowChoice() {
  const { center, width } = volume.window3d.value;
  const at = WINDOWS.findIndex((preset) => preset.center === center && preset.width === width);
  return (
    <label class="preset">
      <span class="sr-only">Window preset</span>
      <select
        value={at < 0 ? "" : String(at)}
        onChange={(event) => {
          const preset = WINDOWS[Number(event.currentTarget.value)];
          if (event.currentTarget.value !== "" && preset !== undefined) volume.window3d.value = { center: preset.center, width: preset.width };
          event.currentTarget.blur();
        }}
      >
        {at < 0 && <option value="">Window {Math.round(width)} / {Math.round(center)}</option>}
        {WINDOWS.map((preset, index) => <option key={preset.key} value={String(index)}>{preset.name} {preset.width} / {preset.center}</option>)}
      </select>
    </label>
  );
}
