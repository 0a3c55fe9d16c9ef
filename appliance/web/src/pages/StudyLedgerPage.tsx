import { useSignal } from "@preact/signals";
import { fetchStudyLedger } from "../api/housekeeping";
import type { LedgerDifference, StudyLedger } from "../api/types";
import { Icon } from "../shell/Icon";
import { plural, remedy, standingWords } from "../state/box-words";
import { pageHash } from "../state/page";
import { studyHash, worklist } from "../state/station";
import { moment, number, personName, studyTitle } from "../state/words";
import { Nothing, PageBody, useFollowed } from "./Followed";
import { HoldQuestion } from "./HoldQuestion";

/** One study's ledger: the totals, then every instance that is not where it should be. */
export function StudyLedgerPage({ uid }: { uid: string }) {
  const document = useFollowed(() => fetchStudyLedger(uid), uid);
  const known = worklist.value.studies.find((study) => study.uid === uid);
  const title = known === undefined ? "Ledger of a study" : personName(known.patient_name);
  const lead = known === undefined ? uid : [known.patient_id, studyTitle(known)].filter((part) => part !== "").join(" · ");
  return (
    <>
      <p class="crumbs">
        <a href={pageHash("ledger")}><Icon name="back" /> All studies</a>
        <a href={studyHash(uid)}>Look at the images</a>
      </p>
      <PageBody title={title} lead={lead} document={document}>
        {(ledger) => (
          <>
            <Totals ledger={ledger} />
            <Keep ledger={ledger} reload={document.reload} />
            <Differences ledger={ledger} />
          </>
        )}
      </PageBody>
    </>
  );
}

function Totals({ ledger }: { ledger: StudyLedger }) {
  const totals: [string, string, string][] = [
    ["received", number(ledger.received), ledger.conflicts === 0 ? "" : `${plural(ledger.conflicts, "object")} not in use: same UID, other bytes`],
    ["committed", number(ledger.committed), ledger.committed === 0 ? "no sender asked" : "the sender took our word"],
    ["analysed", number(ledger.analysed), ledger.results === 0 ? "" : `${plural(ledger.results, "result")} made of them`],
    ...ledger.destinations.map((total): [string, string, string] => [
      `at ${total.name}`,
      number(total.forwarded),
      [
        total.archive ? `${number(total.confirmed)} confirmed` : "",
        total.waiting > 0 ? `${number(total.waiting)} waiting` : "",
        total.isolated > 0 ? `${number(total.isolated)} set apart` : "",
      ].filter((part) => part !== "").join(", "),
    ]),
  ];
  return (
    <dl class="counts card" data-testid="totals">
      {totals.map(([name, value, more]) => <div key={name}><dd>{value}</dd><dt>{name}</dt>{more !== "" && <span class="quiet">{more}</span>}</div>)}
    </dl>
  );
}

function Keep({ ledger, reload }: { ledger: StudyLedger; reload: () => void }) {
  const asking = useSignal(false);
  const hold = ledger.legal_hold;
  return (
    <section class="card keep" aria-label="Keeping">
      <p>
        {ledger.stays === null ? <><span class="badge confirmed">✓ may be deleted</span> when the quota asks for room.</> : <><span class="badge">stays</span> {ledger.stays}.</>}
        {hold !== null && <span class="quiet"> Legal hold: “{hold.reason}”, {hold.by}, {moment(hold.at)}.</span>}
      </p>
      <button type="button" data-testid="hold" aria-pressed={hold !== null} onClick={() => { asking.value = true; }}>{hold === null ? "Legal hold…" : "Lift hold…"}</button>
      {asking.value && <HoldQuestion study={ledger.study_uid} held={hold !== null} done={reload} close={() => { asking.value = false; }} />}
    </section>
  );
}

function Differences({ ledger }: { ledger: StudyLedger }) {
  if (ledger.differences_total === 0) return <Nothing title="Nothing differs.">Every object of this study is analysed and where it should be.</Nothing>;
  return (
    <section aria-label="Differences">
      <h3 class="list-title">{plural(ledger.differences_total, "object")} not through</h3>
      <ul class="lines">{ledger.differences.map((one) => <Difference key={one.sop_instance_uid + one.received_at} difference={one} />)}</ul>
      {ledger.differences_total > ledger.differences.length && <p class="quiet">The first {number(ledger.differences.length)} are shown.</p>}
    </section>
  );
}

function Difference({ difference }: { difference: LedgerDifference }) {
  const words: string[] = [];
  if (difference.conflict) words.push("kept, not in use: another object came first under the same UID");
  else if (!difference.analysed) words.push("not analysed yet");
  const open = difference.destinations.filter((standing) => standing.state !== "confirmed");
  return (
    <li class="line difference" data-testid="difference">
      <span class="uid">{difference.sop_instance_uid}</span>
      <span class="quiet">received {moment(difference.received_at)}</span>
      <span>{words.join("; ")}</span>
      {open.map((standing) => (
        <span key={standing.name} class={standing.state === "isolated" ? "short" : undefined} title={standing.reason === null ? undefined : (remedy(standing.reason) ?? undefined)}>
          {standing.name}: {standingWords(standing)}
        </span>
      ))}
    </li>
  );
}
