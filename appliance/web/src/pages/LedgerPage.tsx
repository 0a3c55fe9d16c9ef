import { computed, signal } from "@preact/signals";
import { fetchBoxLedger } from "../api/housekeeping";
import type { BoxLedger, LedgerLine, LedgerTotal } from "../api/types";
import { differences, plural } from "../state/box-words";
import { ledgerHash } from "../state/page";
import { box } from "../state/station";
import { date, moment, number, personName } from "../state/words";
import { Nothing, PageBody, useFollowed } from "./Followed";

const onlyDiffering = signal(false);

/** Every study's way through the box, what differs first. */
export function LedgerPage() {
  const document = useFollowed(fetchBoxLedger);
  return (
    <PageBody title="Ledger" lead="What was received, committed, analysed and forwarded, study by study. What differs comes first." document={document}>
      {(ledger) => ledger.studies_total === 0 ? <NoStudy /> : <Lines ledger={ledger} />}
    </PageBody>
  );
}

function NoStudy() {
  const address = box.value === null ? "" : ` to ${box.value.ae_title}, port ${box.value.dicom_port}`;
  return <Nothing title="Nothing was received yet.">Send a study by DICOM{address}; its way through the box is written down here.</Nothing>;
}

function Lines({ ledger }: { ledger: BoxLedger }) {
  const shown = computed(() => ledger.lines.filter((line) => line.differs || !onlyDiffering.value));
  const names = ledger.lines[0]?.destinations.map((total) => total.name) ?? [];
  return (
    <>
      <div class="ledger-head">
        <p data-testid="ledger-sum">
          {ledger.differing_total === 0
            ? <><span class="badge confirmed">✓ all through</span> {plural(ledger.studies_total, "study", "studies")}, and no difference.</>
            : <><span class="badge provisional">◔ {plural(ledger.differing_total, "study", "studies")}</span> of {ledger.studies_total} not through.</>}
        </p>
        <label class="check">
          <input type="checkbox" checked={onlyDiffering.value} onChange={(event) => { onlyDiffering.value = event.currentTarget.checked; }} />
          Only what differs
        </label>
      </div>
      <div class="table-scroll">
        <table class="ledger">
          <thead>
            <tr>
              <th scope="col">Study</th>
              <th scope="col">Received</th>
              <th scope="col" title="The sender asked for storage commitment and took the box's word">Committed</th>
              <th scope="col">Analysed</th>
              {names.map((name) => <th scope="col" key={name} title={`Forwarded to ${name}`}>{name}</th>)}
            </tr>
          </thead>
          <tbody>{shown.value.map((line) => <Line key={line.study_uid} line={line} />)}</tbody>
        </table>
      </div>
      {shown.value.length === 0 && <p class="quiet page-note">Nothing differs.</p>}
      {ledger.studies_total > ledger.lines.length && (
        <p class="quiet">The first {ledger.lines.length} of {number(ledger.studies_total)} studies are shown.</p>
      )}
    </>
  );
}

function Line({ line }: { line: LedgerLine }) {
  const found = differences(line);
  const usable = line.received - line.conflicts;
  return (
    <tr class={line.differs ? "differs" : undefined} data-testid="ledger-line" data-uid={line.study_uid}>
      <th scope="row">
        <a href={ledgerHash(line.study_uid)}>
          <strong>{personName(line.patient_name)}</strong>
          <span class="quiet">{[line.patient_id, line.description, date(line.study_date)].filter((part) => part !== "").join(" · ")}</span>
        </a>
        {found.length > 0 ? <span class="ledger-why">{found.join("; ")}</span> : <span class="quiet">last arrival {moment(line.last_arrival_at)}</span>}
      </th>
      <td data-label="received">{number(line.received)}</td>
      <td data-label="committed" class={line.committed === 0 ? "quiet" : undefined}>{line.committed === 0 ? "not asked" : number(line.committed)}</td>
      <td data-label="analysed" class={line.analysed < usable ? "short" : undefined}>
        {number(line.analysed)}
        {line.results > 0 && <span class="quiet ledger-more">{plural(line.results, "result")}</span>}
      </td>
      {line.destinations.map((total) => <Total key={total.name} total={total} />)}
    </tr>
  );
}

/** Forwarded, with a sign for what is missing there. */
function Total({ total }: { total: LedgerTotal }) {
  const { name, archive, forwarded, confirmed, waiting, isolated } = total;
  const open = waiting + isolated;
  return (
    <td data-label={name} class={open > 0 ? "short" : undefined}>
      {number(forwarded)}
      {open > 0 && <span class="quiet"> of {number(forwarded + open)}</span>}
      {archive && forwarded > 0 && <span class="quiet ledger-more">{confirmed === forwarded ? "✓ confirmed" : `${number(confirmed)} confirmed`}</span>}
    </td>
  );
}
