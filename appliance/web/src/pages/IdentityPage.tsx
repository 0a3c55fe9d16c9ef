import { useSignal } from "@preact/signals";
import { decideIdentity, fetchIdentityConflicts } from "../api/housekeeping";
import type { Identity, IdentityChoice, StudyIdentity } from "../api/types";
import { plural } from "../state/box-words";
import { studyHash } from "../state/station";
import { date, moment, personName } from "../state/words";
import { Confirm } from "./Confirm";
import { Nothing, PageBody, useFollowed } from "./Followed";

export function IdentityPage() {
  const document = useFollowed(fetchIdentityConflicts);
  return (
    <PageBody
      title="Identity"
      lead="Studies that arrived under two patients. They are kept, but neither analysed nor forwarded until somebody decides."
      document={document}
    >
      {({ studies }) => studies.length === 0
        ? <Nothing title="No study arrived under two patients.">When one does, both identities are shown here side by side, and nothing of it leaves the box before a decision.</Nothing>
        : <ul class="cards">{studies.map((study) => <Conflict key={study.study_uid} study={study} reload={document.reload} />)}</ul>}
    </PageBody>
  );
}

function Conflict({ study, reload }: { study: StudyIdentity; reload: () => void }) {
  const asking = useSignal<IdentityChoice | null>(null);
  const decide = async (by: string): Promise<void> => {
    if (asking.value === null) return;
    await decideIdentity(study.study_uid, asking.value, by);
    reload();
  };
  return (
    <li class="card" data-testid="conflict" data-held={study.held}>
      <header>
        <h3>{study.description === "" ? "Study" : study.description}</h3>
        {study.held ? <span class="badge failed">! held</span> : <span class="badge confirmed">✓ decided: one person</span>}
        <span class="quiet card-where">
          {[date(study.study_date), study.accession_number, `last arrival ${moment(study.last_arrival_at)}`].filter((part) => part !== "").join(" · ")}
        </span>
      </header>
      <Identities identities={study.identities} />
      <div class="buttons">
        {study.held && <button class="primary" type="button" data-testid="accept" onClick={() => { asking.value = "accept"; }}>One person…</button>}
        {!study.held && <button type="button" data-testid="keep-held" onClick={() => { asking.value = "keep_held"; }}>Hold it again…</button>}
        <a class="button" href={studyHash(study.study_uid)}>Look at the images</a>
        {study.held && <span class="quiet">If they are two people, leave it held and have the scanner's study corrected and sent again.</span>}
      </div>
      {asking.value !== null && (
        <Question choice={asking.value} study={study} decide={decide} close={() => { asking.value = null; }} />
      )}
    </li>
  );
}

function Question({ choice, study, decide, close }: { choice: IdentityChoice; study: StudyIdentity; decide: (by: string) => Promise<void>; close: () => void }) {
  if (choice === "accept") {
    return (
      <Confirm title="All of these are one person?" action="Yes, one person" decide={decide} close={close}>
        <Identities identities={study.identities} />
        <p>The study is analysed and forwarded as it is: no object is changed. A further identity would hold it again.</p>
      </Confirm>
    );
  }
  return (
    <Confirm title="Hold this study again?" action="Hold it" decide={decide} close={close}>
      <p>Nothing more of it is analysed or forwarded until somebody decides anew. What has left the box already is not called back.</p>
    </Confirm>
  );
}

/** Side by side, a row a field, what differs marked. */
function Identities({ identities }: { identities: Identity[] }) {
  const rows: [string, (identity: Identity) => string][] = [
    ["Name", (identity) => personName(identity.patient_name)],
    ["Patient ID", (identity) => identity.patient_id],
    ["Born", (identity) => date(identity.birth_date)],
    ["Objects", (identity) => plural(identity.instances, "object")],
  ];
  return (
    <div class="side-by-side" tabIndex={0} role="group" aria-label="Identities side by side">
      <table>
        <thead>
          <tr><td /> {identities.map((_, place) => <th key={place} scope="col">Identity {place + 1}</th>)}</tr>
        </thead>
        <tbody>
          {rows.map(([name, value]) => {
            const values = identities.map(value);
            const differs = name !== "Objects" && new Set(values.map((text) => text.toUpperCase()).filter((text) => text !== "")).size > 1;
            return (
              <tr key={name} class={differs ? "differs" : undefined}>
                <th scope="row">{name}{differs && <span class="sr-only"> differs</span>}</th>
                {values.map((text, place) => <td key={place}>{text === "" ? <span class="quiet">not said</span> : text}</td>)}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
