// The scroll bar of the stack: a native slider, with ticks where lesions lie and a line where frames are loaded.
import { marksOf } from "../state/lesions";
import { finding, series } from "../state/opened";
import * as viewer from "../state/viewer";

export function SliceBar() {
  const stack = series.value?.stack ?? null;
  if (stack === null || stack.frames < 2) return <div class="slice-bar" />;
  const belongs = finding.value?.series_uid === series.value?.uid;
  const marks = belongs && viewer.lesionsVisible.value ? marksOf(finding.value) : marksOf(null);
  const last = stack.frames - 1;
  // The slider counts from the top as the reader scrolls, whichever way the stack is stored.
  const fromTop = (slice: number): number => (viewer.stepDown(stack) === 1 ? slice : last - slice);
  const share = (slice: number): string => `${(fromTop(slice) / last) * 100}%`;
  const here = marks.get(viewer.slice.value)?.map((mark) => mark.lesion.number) ?? [];
  const lesions = here.length === 0 ? "" : `, lesion ${here.join(", ")}`;
  return (
    <div class="slice-bar">
      <div class="slice-track" aria-hidden="true">
        {viewer.loadedRanges.value.map(([first, end]) => {
          const top = Math.min(fromTop(first), fromTop(end));
          return <i key={first} class="loaded" style={{ top: `${(top / last) * 100}%`, height: `${((end - first) / last) * 100}%` }} />;
        })}
        {[...marks.keys()].map((slice) => <i key={slice} class="tick" style={{ top: share(slice) }} />)}
      </div>
      <input
        type="range"
        min={0}
        max={last}
        step={1}
        value={fromTop(viewer.slice.value)}
        aria-label="Slice"
        aria-orientation="vertical"
        aria-valuetext={`Slice ${viewer.slice.value + 1} of ${stack.frames}${lesions}`}
        onInput={(event) => {
          const top = Number(event.currentTarget.value);
          viewer.goTo(viewer.stepDown(stack) === 1 ? top : last - top);
        }}
      />
    </div>
  );
}
