import type { Finding, Measurement, Scope, Shape, Warning } from "../api/types";
import { PerfusionDetails, PerfusionNumbers } from "../perfusion/PerfusionNumbers";
import { Icon } from "../shell/Icon";
import * as words from "../state/words";
import { AxisSetter } from "./AxisSetter";
import { ContourEditor } from "./ContourEditor";
import { LesionTable } from "./LesionTable";
import { MarkList } from "./MarkList";
import { Review } from "./Review";
import { StateBadge } from "./StateBadge";
import { StructureList } from "./StructureList";
import { Threshold } from "./Threshold";
import { VentricleCurve } from "./VentricleCurve";
import { VesselTable } from "./VesselTable";

interface CardProps {
  finding: Finding;
  /** Its lesions are the ones marked on the image. */
  chosen: boolean;
  choose: () => void;
}

export function FindingCard({ finding, chosen, choose }: CardProps) {
  const score = words.scoreOf(finding);
  const region = finding.scope.kind === "region";
  return (
    <article class={chosen ? "finding chosen" : "finding"} data-state={finding.state} aria-label={finding.title}>
      <header>
        <h2>{titleOf(finding)}</h2>
        <StateBadge state={finding.state} />
      </header>
      {finding.perfusion !== null && <PerfusionNumbers part={finding.perfusion} label={finding.label} />}
      {score !== null && <Score finding={finding} score={score} lead={!region} />}
      {warningsOf(finding).map((warning) => (
        <p key={warning.code} class="caution"><Icon name="warning" /> <span>{words.capitalised(warning.text)}.</span></p>
      ))}
      <StateLine finding={finding} />
      <Review finding={finding} />
      {finding.calcium !== null && <VesselTable finding={finding} calcium={finding.calcium} />}
      <VentricleCurve finding={finding} />
      <MarkList finding={finding} />
      <ContourEditor finding={finding} />
      <AxisSetter finding={finding} />
      <StructureList finding={finding} />
      {!chosen && (finding.lesions.length > 0 || finding.perfusion !== null || finding.cardiac !== null || finding.marks !== null || finding.structures !== null) && <button type="button" onClick={choose}>Show on the image</button>}
      {finding.lesions.length > 0 && chosen && <LesionTable finding={finding} />}
      {finding.calcium !== null && chosen && <Threshold finding={finding} />}
      {finding.perfusion !== null && chosen && <PerfusionDetails part={finding.perfusion} />}
      {finding.calcium === null && finding.perfusion === null && finding.structures === null && <Measurements finding={finding} />}
      <Provenance finding={finding} />
    </article>
  );
}

function Score({ finding, score, lead }: { finding: Finding; score: Measurement; lead: boolean }) {
  return (
    <div class="score-block">
      <p class="score-line">
        <span class="score" data-testid={lead ? "score" : "region-score"} title={String(score.value)}>{words.score(score.value)}</span>
        <span class="quiet">Agatston</span>
      </p>
      <p class="score-label">{words.capitalised(finding.label)}</p>
      <Grades finding={finding} />
    </div>
  );
}

/** Category and CAC-DRS side by side, each saying when it is not final. */
function Grades({ finding }: { finding: Finding }) {
  const { category, calcium } = finding;
  const drs = calcium?.cac_drs ?? null;
  if (category === null && drs === null) {
    return calcium === null ? null : <p class="quiet">No category: {finding.scope.kind === "region" ? "a drawn region is not the whole heart." : "see the cautions below."}</p>;
  }
  return (
    <dl class="grades">
      {category !== null && (
        <div>
          <dt>{category.scheme}</dt>
          <dd>{category.text.replace("-", "–")}{category.provisional && <span class="quiet">provisional</span>}</dd>
        </div>
      )}
      {drs !== null && (
        <div>
          <dt>CAC-DRS</dt>
          <dd title={drs.n === null ? "N, the number of arteries with calcium, is given once every lesion has a vessel" : undefined}>
            {drs.a} / {drs.n ?? "N–"}{drs.provisional && <span class="quiet">provisional</span>}
          </dd>
        </div>
      )}
    </dl>
  );
}

/** The state in a sentence, with the reason wherever there is one. */
function StateLine({ finding }: { finding: Finding }) {
  const meaning = words.STATE_WORDS[finding.state].meaning;
  const person = finding.reviewer === null ? "" : ` ${finding.reviewer}${finding.reviewed_at === null ? "" : `, ${words.moment(finding.reviewed_at)}`}.`;
  const reason = finding.reason ?? finding.superseded_reason;
  if (finding.state === "failed" || finding.state === "not_applicable") {
    return <p class={`reason ${finding.state}`}><strong>{meaning}</strong> {reason ?? "The box gave no reason."}</p>;
  }
  return <p class="quiet state-line">{meaning}{person}{reason === null ? "" : ` ${reason}`}</p>;
}

function Measurements({ finding }: { finding: Finding }) {
  const others = finding.measurements.filter((measurement) => !words.isScore(measurement));
  if (others.length === 0) return null;
  return (
    <dl class="measurements">
      {others.map((measurement) => (
        <div key={measurement.name}>
          <dt>{words.capitalised(measurement.name)}</dt>
          <dd title={String(measurement.value)}>{words.number(measurement.value)} <span class="unit">{words.unit(measurement.unit)}</span></dd>
        </div>
      ))}
    </dl>
  );
}

function shapeWords(shape: Shape): string {
  const slices = shape.first_slice === shape.last_slice ? `slice ${shape.first_slice + 1}` : `slices ${shape.first_slice + 1} to ${shape.last_slice + 1}`;
  if (shape.shape === "circle") {
    return `Circle at (${words.number(shape.center_px[0])}, ${words.number(shape.center_px[1])}), radius ${words.number(shape.radius_px)} px, ${slices}.`;
  }
  return `Freehand outline of ${shape.points_px.length} points, ${slices}.`;
}

function scopeWords(scope: Scope): string {
  switch (scope.kind) {
    case "automatic":
      return scope.rule;
    case "region":
      return `${shapeWords(scope.shape)} Drawn by ${scope.reader}.`;
    case "chosen":
      return `Inlets or method chosen by ${scope.reader}.`;
    case "edited":
      return `Contours changed by ${scope.reader}.`;
  }
}

function titleOf(finding: Finding): string {
  switch (finding.scope.kind) {
    case "automatic":
      return finding.title;
    case "region":
      return "Agatston in drawn region";
    case "chosen":
      return `${finding.title}, chosen inlets or method`;
    case "edited":
      return `${finding.title}, contours edited`;
  }
}

/** What a guard says stands with the volumes it withholds; what perfusion was validated on stands above the maps. */
function warningsOf(finding: Finding): Warning[] {
  const { perfusion, warnings } = finding;
  if (perfusion === null) return warnings;
  const said = new Set(["phantoms_only", "withheld", ...perfusion.guards.map((guard) => guard.code)]);
  return warnings.filter((warning) => !said.has(warning.code));
}

function Provenance({ finding }: { finding: Finding }) {
  const { algorithm, scope } = finding;
  return (
    <details class="provenance">
      <summary>How this was measured</summary>
      <p>{scopeWords(scope)}</p>
      <dl>
        <div><dt>Algorithm</dt><dd>{algorithm.name} {algorithm.version}</dd></div>
        <div><dt>Processor</dt><dd>{algorithm.processor}</dd></div>
        {finding.calcium !== null && <div><dt>Thresholds</dt><dd>{finding.calcium.scoring.method}</dd></div>}
        {finding.calcium !== null && <div><dt>Mass</dt><dd>{words.capitalised(finding.calcium.mass.source)}</dd></div>}
        {finding.ready_because && <div><dt>Started because</dt><dd>{finding.ready_because}</dd></div>}
        <div><dt>Created</dt><dd><time dateTime={finding.created_at}>{words.moment(finding.created_at)}</time></dd></div>
      </dl>
    </details>
  );
}

/** A replaced finding in two lines: what it said and why it no longer holds. */
export function EarlierFinding({ finding }: { finding: Finding }) {
  const score = words.scoreOf(finding);
  return (
    <article class="earlier-finding" aria-label={`Earlier: ${finding.title}`}>
      <p>
        <StateBadge state={finding.state} short /> {score === null ? shortly(finding) : <>Agatston <strong>{words.score(score.value)}</strong></>}{" "}
        <span class="quiet">{words.moment(finding.created_at)}</span>
      </p>
      <p class="quiet">{finding.superseded_reason ?? finding.reason ?? "A newer result replaces this one."}</p>
    </article>
  );
}

function shortly(finding: Finding): string {
  const ef = finding.measurements.find((one) => one.name === "Ejection fraction");
  return ef === undefined ? finding.title : `${finding.title}: EF ${words.number(ef.value)} %`;
}

/** An analysis that does not apply, and why. */
export function SilentFinding({ finding }: { finding: Finding }) {
  return (
    <article class="earlier-finding" data-state={finding.state} aria-label={finding.title}>
      <p><StateBadge state={finding.state} short /> {finding.title}</p>
      <p class="quiet reason-text">{finding.reason ?? "The box gave no reason."}</p>
      <ContourEditor finding={finding} />
      <AxisSetter finding={finding} />
    </article>
  );
}
