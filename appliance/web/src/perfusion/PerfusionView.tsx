// Five maps side by side, the images with core and late tissue over them, the curves below.
import { useEffect, useRef } from "preact/hooks";
import type { PerfusionMap, PerfusionPart } from "../api/types";
import { Icon } from "../shell/Icon";
import { series } from "../state/opened";
import * as words from "../state/words";
import { GRADIENT, colorize, overlaid } from "./colors";
import { CurvePlot } from "./CurvePlot";
import * as state from "./state";

export function PerfusionView() {
  const part = state.perfusion.value?.perfusion;
  if (part === undefined) return null;
  return (
    <section
      class="perfusion"
      aria-label="Perfusion maps"
      tabIndex={0}
      onWheel={(event) => {
        event.preventDefault();
        state.goTo(state.slice.peek() + Math.sign(event.deltaY));
      }}
      onKeyDown={(event) => {
        const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -1, PageDown: 1 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        state.goTo(state.slice.peek() + step);
      }}
    >
      <p class="perfusion-statement" role="note"><Icon name="warning" /> <span>{part.statement}</span></p>
      <div class="map-tiles" style={{ "--shape": shapeOf(part) }}>
        {part.maps.map((map) => <MapTile key={map.kind} part={part} map={map} />)}
        <ImageTile part={part} />
      </div>
      <SliceLine part={part} />
      <CurvePlot />
    </section>
  );
}

/** What of the grid is shown: the head, once an image says where it is. */
function boxOf(part: PerfusionPart): state.Box {
  return state.head.value ?? { left: 0, top: 0, columns: part.grid.columns, rows: part.grid.rows };
}

function shapeOf(part: PerfusionPart): string {
  const { columns, rows } = boxOf(part);
  return `${columns * part.grid.column_spacing_mm} / ${rows * part.grid.row_spacing_mm}`;
}

function SliceLine({ part }: { part: PerfusionPart }) {
  const last = part.grid.slices - 1;
  return (
    <div class="slice-line">
      <label>
        <span class="sr-only">Slice</span>
        <input
          type="range"
          min={0}
          max={last}
          value={state.slice.value}
          onInput={(event) => { state.goTo(Number(event.currentTarget.value)); }}
        />
      </label>
      <span class="slice-number">Slice {state.slice.value + 1} of {part.grid.slices}</span>
      <button type="button" onClick={() => { state.imagesWanted.value = true; }}>Show images</button>
    </div>
  );
}

function MapTile({ part, map }: { part: PerfusionPart; map: PerfusionMap }) {
  const values = state.shownSlice.value?.maps[map.kind] ?? null;
  const at = state.voxel.value;
  const value = at?.slice === state.slice.value ? values?.[at.row * part.grid.columns + at.column] : undefined;
  const [low, high] = [map.display_range[0] ?? 0, map.display_range[1] ?? 1];
  return (
    <figure class="map-tile" data-map={map.kind}>
      <figcaption>
        <strong>{map.title}</strong> <span class="unit">{map.unit_text}</span>
        <output>{value === undefined || Number.isNaN(value) ? "" : words.number(value)}</output>
      </figcaption>
      <Tile part={part} ready={values !== null} paint={(out) => { if (values !== null) colorize(values, [low, high], out); }} stamp={values} />
      <div class="color-bar" style={{ backgroundImage: GRADIENT }} aria-hidden="true" />
      <p class="color-ends"><span>{words.number(low)}</span><span>{words.number((low + high) / 2)}</span><span>≥ {words.number(high)}</span></p>
    </figure>
  );
}

function ImageTile({ part }: { part: PerfusionPart }) {
  const shown = state.shownSlice.value;
  const images = shown?.images ?? null;
  const overlay = state.overlayShown.value && part.volumes !== null;
  return (
    <figure class="map-tile" data-map="images">
      <figcaption>
        <strong>CT</strong> <span class="unit">first time point</span>
        {part.volumes !== null && (
          <label class="overlay-switch">
            <input type="checkbox" checked={state.overlayShown.value} onChange={(event) => { state.overlayShown.value = event.currentTarget.checked; }} />
            overlay
          </label>
        )}
      </figcaption>
      <Tile
        part={part}
        ready={images !== null}
        paint={(out) => { if (images !== null) overlaid(images, shown?.tissue ?? null, overlay, out); }}
        stamp={[images, shown?.tissue, overlay]}
      />
      <Letters />
      {part.volumes === null ? (
        <p class="caution overlay-legend">Core and hypoperfusion are withheld</p>
      ) : (
        <p class="overlay-legend">
          <span class="core">{part.volumes.core_rule}</span>
          <span class="late">{part.volumes.hypoperfused_rule}</span>
        </p>
      )}
    </figure>
  );
}

/** Which side of the patient is which. */
function Letters() {
  const letters = series.value?.stack?.edge_letters ?? null;
  if (letters === null) return null;
  return <><span class="edge left">{letters.left}</span><span class="edge right">{letters.right}</span></>;
}

interface TileProps {
  part: PerfusionPart;
  ready: boolean;
  /** Fills one word a pixel. */
  paint: (out: Uint32Array) => void;
  /** Paints again when it changes. */
  stamp: unknown;
}

function Tile({ part, ready, paint, stamp }: TileProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { columns, rows } = part.grid;
  const box = boxOf(part);
  useEffect(() => {
    const context = canvas.current?.getContext("2d") ?? null;
    if (context === null) return;
    const image = new ImageData(columns, rows);
    if (ready) {
      paint(new Uint32Array(image.data.buffer));
      document.documentElement.dataset.ready = "maps";
    }
    context.putImageData(image, -box.left, -box.top);
  }, [columns, rows, box.left, box.top, box.columns, box.rows, ready, ...(Array.isArray(stamp) ? (stamp as unknown[]) : [stamp])]);

  const at = (event: PointerEvent & { currentTarget: HTMLElement }): state.Voxel => {
    const area = event.currentTarget.getBoundingClientRect();
    const along = (position: number, from: number, size: number, count: number): number =>
      Math.min(count - 1, Math.max(0, Math.floor(((position - from) / size) * count)));
    return {
      column: box.left + along(event.clientX, area.left, area.width, box.columns),
      row: box.top + along(event.clientY, area.top, area.height, box.rows),
      slice: state.slice.peek(),
    };
  };
  return (
    <div
      class={ready ? "tile" : "tile loading"}
      onPointerMove={(event) => { state.hovered.value = at(event); }}
      onPointerLeave={() => { state.hovered.value = null; }}
      onPointerDown={(event) => { state.pinned.value = at(event); }}
    >
      <canvas ref={canvas} width={box.columns} height={box.rows} />
      <Cross voxel={state.pinned.value} part={part} kind="pinned" />
      <Cross voxel={state.hovered.value} part={part} kind="hovered" />
    </div>
  );
}

/** The same voxel on every tile. */
function Cross({ voxel, part, kind }: { voxel: state.Voxel | null; part: PerfusionPart; kind: string }) {
  if (voxel?.slice !== state.slice.value) return null;
  const box = boxOf(part);
  const share = (at: number, from: number, count: number): string => `${((at - from + 0.5) / count) * 100}%`;
  const place = { left: share(voxel.column, box.left, box.columns), top: share(voxel.row, box.top, box.rows) };
  return <i class={`cross ${kind}`} style={place} aria-hidden="true" />;
}
