// Structures with their volumes; each may be shown over the image in its colour.
import type { Finding } from "../api/types";
import { isHidden, toggleLabel } from "../state/structures";
import * as words from "../state/words";

export function StructureList({ finding }: { finding: Finding }) {
  const { structures } = finding;
  if (structures === null) return null;
  return (
    <ul class="structures" aria-label="Structures">
      {structures.found.map(({ label, name, colour, code, volume_ml }) => (
        <li key={label}>
          <label title={code === null ? undefined : `${code.meaning} (SNOMED CT ${code.identifier})`}>
            <input type="checkbox" disabled={colour === null} checked={colour !== null && !isHidden(finding, label)} onChange={() => { toggleLabel(finding, label); }} />
            <span class="swatch" style={{ background: colour === null ? "transparent" : `rgb(${colour.join(" ")})` }} />
            {name}
          </label>
          <span title={String(volume_ml)}>{words.number(volume_ml)} <span class="unit">mL</span></span>
        </li>
      ))}
    </ul>
  );
}
