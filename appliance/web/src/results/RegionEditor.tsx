// The finished drawing before it is measured: its size, its slices, and for circles every number by keyboard.
import { useSignal } from "@preact/signals";
import type { Stack } from "../api/types";
import { measureRegion, series } from "../state/opened";
import { draft, radiusMm, regionProblem, shapeOf, type Draft } from "../state/region";
import { slice, tool } from "../state/viewer";
import * as words from "../state/words";
import { discardDraft } from "../viewport/actions";

/** Large enough to be seen and taken hold of by its numbers. */
const START_RADIUS_PX = 20;

export function RegionEditor() {
  const busy = useSignal(false);
  const current = draft.value;
  const stack = series.value?.stack ?? null;
  const seriesUid = series.value?.uid;
  if (current === null || stack === null || seriesUid === undefined) return null;

  const measure = async (event: Event): Promise<void> => {
    event.preventDefault();
    busy.value = true;
    regionProblem.value = null;
    try {
      const shape = shapeOf(current);
      await measureRegion(seriesUid, shape);
      draft.value = null;
      tool.value = "window";
    } catch (thrown) {
      regionProblem.value = thrown instanceof Error ? thrown.message : "The region could not be measured. Try again.";
    }
    busy.value = false;
  };

  return (
    <form class="region-editor" aria-label="Region to measure" data-testid="region-editor" onSubmit={measure}>
      <h2>{current.figure.shape === "circle" ? "Circular region" : "Freehand region"}</h2>
      <CircleNumbers current={current} stack={stack} />
      <SliceChoice current={current} frames={stack.frames} />
      {regionProblem.value !== null && <p class="problem" role="alert">{regionProblem.value}</p>}
      <div class="buttons">
        <button class="primary" type="submit" disabled={busy.value}>{busy.value ? "Measuring…" : "Measure Agatston"}</button>
        <button type="button" onClick={discardDraft}>Discard</button>
      </div>
    </form>
  );
}

/** How to draw, while a drawing tool is in hand; and the way in for those who use no pointer. */
export function DrawingHint() {
  const stack = series.value?.stack ?? null;
  if (stack === null || (tool.value !== "circle" && tool.value !== "polygon")) return null;
  if (tool.value === "polygon") return <p class="notice" role="status">Draw round the region with the pointer held down.</p>;
  const place = (): void => {
    draft.value = {
      figure: { shape: "circle", center: { x: Math.floor(stack.columns / 2), y: Math.floor(stack.rows / 2) }, radius: START_RADIUS_PX },
      complete: true,
      first: 0,
      last: stack.frames - 1,
    };
  };
  return (
    <div class="notice" role="status">
      <p>Drag on the image from the middle of the region outwards.</p>
      <button type="button" onClick={place}>Place a circle and type its numbers</button>
    </div>
  );
}

function NumberField({ name, value, min, max, step, set }: { name: string; value: number; min: number; max: number; step: number; set: (value: number) => void }) {
  return (
    <label>
      {name}
      <input
        type="number"
        value={Math.round(value * 10) / 10}
        min={min}
        max={max}
        step={step}
        onChange={(event) => {
          const typed = event.currentTarget.valueAsNumber;
          if (Number.isFinite(typed)) set(Math.max(min, Math.min(max, typed)));
        }}
      />
    </label>
  );
}

function CircleNumbers({ current, stack }: { current: Draft; stack: Stack }) {
  const { figure } = current;
  if (figure.shape !== "circle") return <p class="quiet">{figure.points.length} points</p>;
  const { center, radius } = figure;
  const millimetres = radiusMm(radius, stack);
  const set = (changes: Partial<typeof figure>): void => {
    draft.value = { ...current, figure: { ...figure, ...changes } };
  };
  return (
    <div class="fields">
      <NumberField name="Column" value={center.x} min={0} max={stack.columns - 1} step={0.1} set={(x) => { set({ center: { ...center, x } }); }} />
      <NumberField name="Row" value={center.y} min={0} max={stack.rows - 1} step={0.1} set={(y) => { set({ center: { ...center, y } }); }} />
      <NumberField name="Radius, px" value={radius} min={1} max={Math.max(stack.columns, stack.rows)} step={0.1} set={(r) => { set({ radius: r }); }} />
      <p class="quiet radius-mm">{millimetres === null ? "" : `= ${words.number(millimetres)} mm`}</p>
    </div>
  );
}

function SliceChoice({ current, frames }: { current: Draft; frames: number }) {
  const set = (first: number, last: number): void => {
    draft.value = { ...current, first, last };
  };
  return (
    <fieldset>
      <legend>Slices</legend>
      <div class="buttons">
        <button type="button" aria-pressed={current.first === 0 && current.last === frames - 1} onClick={() => { set(0, frames - 1); }}>All</button>
        <button type="button" aria-pressed={current.first === slice.value && current.last === slice.value} onClick={() => { set(slice.value, slice.value); }}>This one</button>
      </div>
      <div class="fields">
        <NumberField name="First" value={current.first + 1} min={1} max={frames} step={1} set={(first) => { set(first - 1, current.last); }} />
        <NumberField name="Last" value={current.last + 1} min={1} max={frames} step={1} set={(last) => { set(current.first, last - 1); }} />
      </div>
    </fieldset>
  );
}
