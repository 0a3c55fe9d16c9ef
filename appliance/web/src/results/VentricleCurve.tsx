import type { Finding } from "../api/types";
import { curveOf } from "../state/ventricle";
import * as words from "../state/words";

const WIDTH = 300;
const HEIGHT = 90;

/** The volume over the cycle and the sentence that stands beside every number of the network. */
export function VentricleCurve({ finding }: { finding: Finding }) {
  const { cardiac } = finding;
  if (cardiac === null) return null;
  const curve = curveOf(cardiac, WIDTH, HEIGHT);
  const volume = (phase: number): string => `${words.number(cardiac.cavity_ml[phase] ?? NaN)} mL`;
  const described = `Volume of the cavity over ${cardiac.cavity_ml.length} phases: ${volume(cardiac.ed_phase)} at end diastole, ${volume(cardiac.es_phase)} at end systole`;
  return (
    <div class="ventricle">
      {cardiac.model !== null && <p class="caution">{cardiac.model.name} {cardiac.model.version}: <strong>{cardiac.model.statement}</strong></p>}
      {curve !== null && (
        <svg viewBox={`-6 -6 ${WIDTH + 12} ${HEIGHT + 12}`} role="img" aria-label={described}>
          <path class="axis" d={`M0 0V${HEIGHT}H${WIDTH}`} />
          <text x="4" y="8">{curve.top_ml} mL</text>
          <path class="volume" d={curve.path} />
          <circle cx={curve.ed.x} cy={curve.ed.y} r="4" />
          <circle cx={curve.es.x} cy={curve.es.y} r="4" />
        </svg>
      )}
    </div>
  );
}
