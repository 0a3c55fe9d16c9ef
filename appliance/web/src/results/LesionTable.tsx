import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Finding, Lesion } from "../api/types";
import { canAssign } from "../state/assigning";
import { bestSlice } from "../state/lesions";
import { PLACES, placeOf } from "../state/vessels";
import { chosenLesion, shown } from "../state/viewer";
import * as words from "../state/words";
import { assignChosen, showLesion } from "../viewport/actions";
import { keyCaps } from "../viewport/keys";

/** The largest lesions carry the score; noise can add dozens that would push everything else off the panel. */
const ROWS_AT_FIRST = 12;

export function LesionTable({ finding }: { finding: Finding }) {
  const slice = shown.value?.slice;
  const all = useSignal(false);
  const { lesions } = finding;
  const chosenAt = lesions.findIndex((lesion) => lesion.number === chosenLesion.value);
  const folded = !all.value && chosenAt < ROWS_AT_FIRST && lesions.length > ROWS_AT_FIRST + 1;
  return (
    <>
      <table class="lesions">
        <caption class="sr-only">Lesions. Choose one to see it on the image and to say where it lies.</caption>
        <thead>
          <tr>
            <th scope="col">Lesion</th>
            <th scope="col">Lies in</th>
            <th scope="col">Score</th>
            <th scope="col">mm³</th>
            <th scope="col">Peak</th>
          </tr>
        </thead>
        {(folded ? lesions.slice(0, ROWS_AT_FIRST) : lesions).map((lesion) => (
          <Row
            key={lesion.number}
            finding={finding}
            lesion={lesion}
            chosen={chosenLesion.value === lesion.number}
            here={lesion.slices.some((cut) => cut.slice === slice)}
          />
        ))}
      </table>
      {folded && <button type="button" onClick={() => { all.value = true; }}>Show all {lesions.length} lesions</button>}
      {finding.lesions_truncated && (
        <p class="caution">Only the largest lesions are listed; the score counts all of them, so they cannot all be assigned. Draw a smaller region.</p>
      )}
    </>
  );
}

function Row({ finding, lesion, chosen, here }: { finding: Finding; lesion: Lesion; chosen: boolean; here: boolean }) {
  const body = useRef<HTMLTableSectionElement>(null);
  useEffect(() => {
    if (chosen) body.current?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  const counted = lesion.vessel === null || placeOf(lesion.vessel).counted;
  return (
    <tbody ref={body} class={[chosen ? "chosen" : "", here ? "here" : "", counted ? "" : "not-counted"].join(" ")}>
      <tr onClick={() => { showLesion(lesion); }}>
        <th scope="row">
          <button
            type="button"
            aria-pressed={chosen}
            aria-label={`Lesion ${lesion.number}, show on slice ${bestSlice(lesion) + 1}${here ? ", on this slice" : ""}`}
            title={here ? "On this slice" : undefined}
          >
            <span class="number">{lesion.number}</span>
            <span class="where">sl. {bestSlice(lesion) + 1}</span>
          </button>
        </th>
        <td class="place"><PlaceChip lesion={lesion} /></td>
        <td>{words.number(lesion.agatston)}</td>
        <td>{words.number(lesion.volume_mm3)}</td>
        <td>{words.number(lesion.peak_hu)}</td>
      </tr>
      {chosen && (
        <tr class="detail">
          <td colSpan={5}>
            {canAssign(finding) && <Chooser lesion={lesion} />}
            {lesion.vessel === null && lesion.proposed !== null && <p class="quiet">{proposalWords(lesion)} <kbd>Y</kbd> accepts.</p>}
            <LesionDetail lesion={lesion} />
          </td>
        </tr>
      )}
    </tbody>
  );
}

/** Where it lies: a reader's word in full, a proposal with a question mark. */
function PlaceChip({ lesion }: { lesion: Lesion }) {
  if (lesion.vessel !== null) {
    const place = placeOf(lesion.vessel);
    const by = lesion.assigned_by === null ? "" : `Assigned by ${lesion.assigned_by}${lesion.assigned_at === null ? "" : `, ${words.moment(lesion.assigned_at)}`}`;
    return <span class={place.counted ? "place-chip" : "place-chip outside"} title={by}>{place.name}</span>;
  }
  if (lesion.proposed !== null) {
    return <span class="place-chip proposed" title={proposalWords(lesion)}>{placeOf(lesion.proposed).name}?</span>;
  }
  return <span class="quiet" aria-label="no vessel yet">–</span>;
}

function proposalWords({ proposed, proposed_or }: Lesion): string {
  if (proposed === null) return "";
  const names = [proposed, ...proposed_or].map((vessel) => placeOf(vessel).name);
  return `Proposed from its position alone: ${names.join(", or ")}. No vessel was seen; look before you accept.`;
}

/** Seven places, a key each; the chosen lesion's own is pressed. */
function Chooser({ lesion }: { lesion: Lesion }) {
  return (
    <div class="chooser" role="group" aria-label={`Lesion ${lesion.number} lies in`}>
      {PLACES.map((place) => (
        <button
          key={place.vessel}
          type="button"
          data-testid={`vessel-${place.vessel}`}
          aria-pressed={lesion.vessel === place.vessel}
          aria-label={`${place.name}, ${place.long}${place.counted ? "" : ", not counted"}`}
          class={lesion.vessel === null && lesion.proposed === place.vessel ? "proposed" : ""}
          onClick={(event) => {
            event.stopPropagation();
            assignChosen(lesion.vessel === place.vessel ? null : place.vessel);
          }}
        >
          {place.name} <kbd aria-hidden="true">{keyCaps(place.key).join(" ")}</kbd>
        </button>
      ))}
    </div>
  );
}

/** Centre, size and what each slice holds: enough to find it again anywhere. */
function LesionDetail({ lesion }: { lesion: Lesion }) {
  const [column, row, slice] = lesion.center_px;
  const [from, to] = lesion.bounds_px;
  const whole = (value: number): string => String(Math.round(value));
  return (
    <>
      <p class="quiet">
        Centre column {whole(column)}, row {whole(row)}, slice {words.number(slice + 1)}; box {to[0] - from[0] + 1} × {to[1] - from[1] + 1} px ×{" "}
        {to[2] - from[2] + 1} {to[2] === from[2] ? "slice" : "slices"}
        {lesion.mass_mg === null ? "" : `; ${words.number(lesion.mass_mg)} mg`}
      </p>
      <table class="cuts">
        <caption class="sr-only">Lesion {lesion.number} by slice</caption>
        <thead><tr><th scope="col">Slice</th><th scope="col">mm²</th><th scope="col">Peak</th><th scope="col">Weight</th><th scope="col">Score</th></tr></thead>
        <tbody>
          {lesion.slices.map((cut, index) => (
            <tr key={index}>
              <th scope="row">{cut.slice + 1}</th>
              <td>{words.number(cut.area_mm2)}</td>
              <td>{words.number(cut.peak_hu)}</td>
              <td>{cut.weight}</td>
              <td>{words.number(cut.agatston)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
