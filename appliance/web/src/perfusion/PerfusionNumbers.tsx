// The volumes of a perfusion finding on its card, or why there are none, and how it was computed.
import type { FlowReference, PerfusionMethod, PerfusionPart } from "../api/types";
import * as words from "../state/words";
import { computeAgain, imagesWanted } from "./state";

const METHODS: Record<PerfusionMethod, string> = {
  osvd: "oSVD (default)",
  csvd: "cSVD",
  tikhonov: "Tikhonov",
  richardson_lucy: "Richardson-Lucy (slow)",
};
const REFERENCES: Record<FlowReference, string> = { normal_tissue: "Normal tissue", contralateral: "Other hemisphere" };

export function PerfusionNumbers({ part, label }: { part: PerfusionPart; label: string }) {
  const { volumes } = part;
  return (
    <>
      <p class="score-label">{label}</p>
      {volumes === null ? (
        <div class="withheld" role="alert">
          <strong>Core, hypoperfusion and mismatch are withheld</strong>
          <ul>{part.guards.map((guard) => <li key={guard.code}>{words.capitalised(guard.text)}</li>)}</ul>
        </div>
      ) : (
        <>
          <dl class="volumes">
            <div class="core"><dt>Core <span class="quiet">{volumes.core_rule}</span></dt><dd>{words.number(volumes.core_ml)} <span class="unit">mL</span></dd></div>
            <div class="late"><dt>Hypoperfused <span class="quiet">{volumes.hypoperfused_rule}</span></dt><dd>{words.number(volumes.hypoperfused_ml)} <span class="unit">mL</span></dd></div>
            <div><dt>Mismatch</dt><dd>{words.number(volumes.mismatch_ml)} <span class="unit">mL</span></dd></div>
            <div><dt>Ratio</dt><dd>{volumes.ratio === null ? "no core" : words.number(volumes.ratio)}</dd></div>
          </dl>
          <p class="quiet state-line">Reference: {volumes.reference}</p>
        </>
      )}
    </>
  );
}

/** Scan, motion, parameters, and the reader's other choice. */
export function PerfusionDetails({ part }: { part: PerfusionPart }) {
  const { acquisition, motion, choice } = part;
  const moved = `at most ${words.number(motion.largest_mm)} mm; ${motion.rejected.length} of ${motion.passes} time points left out`;
  return (
    <>
      {imagesWanted.value && <button class="primary" type="button" onClick={() => { imagesWanted.value = false; }}>Show maps</button>}
      <details class="provenance">
        <summary>Method and motion</summary>
        <dl>
          <div><dt>Scan</dt><dd>{acquisition.mode}, {acquisition.time_points} time points in {words.number(acquisition.duration_s)} s, by {acquisition.clock}</dd></div>
          <div><dt>Motion</dt><dd>{moved}</dd></div>
        </dl>
        <ul>{part.parameters.map((sentence) => <li key={sentence}>{sentence}</li>)}</ul>
        <div class="choice">
          <label>
            Method
            <select value={choice.method} onChange={(event) => { void computeAgain({ method: event.currentTarget.value as PerfusionMethod }); }}>
              {Object.entries(METHODS).map(([method, name]) => <option key={method} value={method}>{name}</option>)}
            </select>
          </label>
          <label>
            Reference
            <select value={choice.reference} onChange={(event) => { void computeAgain({ reference: event.currentTarget.value as FlowReference }); }}>
              {Object.entries(REFERENCES).map(([reference, name]) => <option key={reference} value={reference}>{name}</option>)}
            </select>
          </label>
          <label class="check">
            <input type="checkbox" checked={choice.scale_by_vein} onChange={(event) => { void computeAgain({ scale_by_vein: event.currentTarget.checked }); }} />
            Scale artery by vein
          </label>
        </div>
        <p>A change is computed as a result of its own beside this one.</p>
      </details>
    </>
  );
}
