// What each artery holds, what was found not to be coronary, and what still waits for a reader.
import type { Calcium, Finding, VesselSum } from "../api/types";
import { PLACES } from "../state/vessels";
import * as words from "../state/words";

export function VesselTable({ finding, calcium }: { finding: Finding; calcium: Calcium }) {
  const sumOf = (vessel: string): VesselSum | undefined => calcium.vessels.find((one) => one.vessel === vessel);
  const done = calcium.unassigned === 0 && finding.lesions.length > 0 && !finding.lesions_truncated;
  const total = (name: string): number | null => finding.measurements.find((one) => one.name === name)?.value ?? null;
  const withMass = calcium.mass.mg_per_cm3_hu !== null;
  const outside = PLACES.filter((place) => !place.counted && sumOf(place.vessel) !== undefined);
  return (
    <table class="vessels" data-testid="vessels">
      <caption class="sr-only">Score by artery</caption>
      <thead>
        <tr>
          <th scope="col">Artery</th>
          <th scope="col">Lesions</th>
          <th scope="col">Score</th>
          <th scope="col">mm³</th>
          {withMass && <th scope="col">mg</th>}
        </tr>
      </thead>
      <tbody>
        {PLACES.filter((place) => place.counted).map((place) => (
          <Row key={place.vessel} name={place.name} sum={sumOf(place.vessel)} zero={done} withMass={withMass} />
        ))}
        {calcium.unassigned > 0 && (
          <tr class="waiting">
            <th scope="row">No vessel yet</th>
            <td>{calcium.unassigned}</td>
            <td colSpan={withMass ? 3 : 2}>in the total</td>
          </tr>
        )}
      </tbody>
      <tbody class="sum">
        <tr>
          <th scope="row">Total</th>
          <td>{words.number(total("Lesions") ?? 0)}</td>
          <td title={String(total("Agatston score") ?? 0)}>{words.number(total("Agatston score") ?? 0)}</td>
          <td>{words.number(total("Volume") ?? 0)}</td>
          {withMass && <td>{words.number(total("Mass") ?? 0)}</td>}
        </tr>
      </tbody>
      {outside.length > 0 && (
        <tbody class="outside">
          {outside.map((place) => (
            <Row key={place.vessel} name={`${place.name}, not counted`} sum={sumOf(place.vessel)} zero={false} withMass={withMass} />
          ))}
        </tbody>
      )}
      {!withMass && (
        <tfoot>
          <tr><td colSpan={4} title={calcium.mass.source}>Mass: not calibrated</td></tr>
        </tfoot>
      )}
    </table>
  );
}

function Row({ name, sum, zero, withMass }: { name: string; sum: VesselSum | undefined; zero: boolean; withMass: boolean }) {
  // A zero is a statement about the whole heart; before every lesion has a vessel nobody can make it.
  const empty = zero ? "0" : "–";
  return (
    <tr class={sum === undefined ? "empty" : ""}>
      <th scope="row">{name}</th>
      <td>{sum?.lesions ?? empty}</td>
      <td title={sum === undefined ? undefined : String(sum.agatston)}>{sum === undefined ? empty : words.number(sum.agatston)}</td>
      <td>{sum === undefined ? empty : words.number(sum.volume_mm3)}</td>
      {withMass && <td>{sum?.mass_mg == null ? empty : words.number(sum.mass_mg)}</td>}
    </tr>
  );
}
