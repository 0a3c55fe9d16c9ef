import { PageFrame } from "../shell/PageFrame";
import { Worklist } from "../shell/Worklist";
import { page } from "../state/station";
import { DestinationsPage } from "./DestinationsPage";
import { IdentityPage } from "./IdentityPage";
import { KeepingPage } from "./KeepingPage";
import { LedgerPage } from "./LedgerPage";
import { QuarantinePage } from "./QuarantinePage";
import { StudyLedgerPage } from "./StudyLedgerPage";

/** Whatever is open while no study is. */
export function BoxPage() {
  return <PageFrame name={page.value.name}><Content /></PageFrame>;
}

function Content() {
  const open = page.value;
  switch (open.name) {
    case "studies":
      return <Worklist wide />;
    case "ledger":
      return open.study === null ? <LedgerPage /> : <StudyLedgerPage uid={open.study} />;
    case "destinations":
      return <DestinationsPage />;
    case "identity":
      return <IdentityPage />;
    case "quarantine":
      return <QuarantinePage />;
    case "keeping":
      return <KeepingPage />;
  }
}
