import { useSignal } from "@preact/signals";
import type { Finding } from "../api/types";
import { bestSlice } from "../state/lesions";
import { chosenLesion, shown } from "../state/viewer";
import * as words from "../state/words";
import { showLesion } from "../viewport/actions";

/** The largest lesions carry the score; noise can add dozens that would push everything else off the panel. */
const ROWS_AT_FIRST = 8;

export function LesionTable({ finding }: { finding: Finding }) {
  const slice = shown.value?.slice;
  const all = useSignal(false);
  const { lesions } = finding;
  const chosenAt = lesions.findIndex((lesion) => lesion.number === chosenLesion.value);
  const folded = !all.value && chosenAt < ROWS_AT_FIRST && lesions.length > ROWS_AT_FIRST + 1;
  return (
    <>
      <table class="lesions">
        <caption class="sr-only">Lesions. Choose one to see it on the image.</caption>
        <thead>
          <tr>
            <th scope="col">Lesion</th>
            <th scope="col">Score</th>
            <th scope="col">mm³</th>
            <th scope="col">Peak HU</th>
          </tr>
        </thead>
        <tbody>
          {(folded ? lesions.slice(0, ROWS_AT_FIRST) : lesions).map((lesion) => {
            const onSlice = lesion.slices.some((cut) => cut.slice === slice);
            return (
              <tr
                key={lesion.number}
                class={[chosenLesion.value === lesion.number ? "chosen" : "", onSlice ? "here" : ""].join(" ")}
                onClick={() => { showLesion(lesion); }}
              >
                <th scope="row">
                  <button
                    type="button"
                    aria-pressed={chosenLesion.value === lesion.number}
                    aria-label={`Lesion ${lesion.number}, show on slice ${bestSlice(lesion) + 1}${onSlice ? ", on this slice" : ""}`}
                    title={onSlice ? "On this slice" : undefined}
                  >
                    <span class="number">{lesion.number}</span>
                    <span class="where">sl. {bestSlice(lesion) + 1}</span>
                  </button>
                </th>
                <td>{words.number(lesion.agatston)}</td>
                <td>{words.number(lesion.volume_mm3)}</td>
                <td>{words.number(lesion.peak_hu)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {folded && <button type="button" onClick={() => { all.value = true; }}>Show all {lesions.length} lesions</button>}
      {finding.lesions_truncated && <p class="quiet">Only the largest lesions are listed; the score counts all of them.</p>}
    </>
  );
}
