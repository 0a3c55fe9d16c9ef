// Structures with their volumes; each may be shown over the image in its colour.
import type { Finding } from "../api/types";
import { hiddenLabels, LABEL_COLOURS, toggleLabel } from "../state/structures";
import * as words from "../state/words";

export function StructureList({ finding }: { finding: Finding }) {
  const { structures } = finding;
  if (structures === null) return null;
  return (
    <ul class="structures" aria-label="Structures">
      {structures.found.map((found) => {
        const colour = LABEL_COLOURS[found.label] ?? null;
        return (
          <li key={found.label}>
            <label>
              <input type="checkbox" disabled={colour === null} checked={colour !== null && !hiddenLabels.value.has(found.label)} onChange={() => { toggleLabel(found.label); }} />
              <span class="swatch" style={{ background: colour === null ? "transparent" : `rgb(${colour.join(" ")})` }} />
              {found.name}
            </label>
            <span title={String(found.volume_ml)}>{words.number(found.volume_ml)} <span class="unit">mL</span></span>
          </li>
        );
      })}
    </ul>
  );
}
