import { setHold } from "../api/housekeeping";
import { Confirm } from "./Confirm";

/** Asks before a legal hold is set or lifted. */
export function HoldQuestion({ study, held, done, close }: { study: string; held: boolean; done: () => void; close: () => void }) {
  const decide = async (by: string, reason: string): Promise<void> => {
    await setHold(study, { held: !held, reason, by });
    done();
  };
  if (held) {
    return (
      <Confirm title="Lift the legal hold?" action="Lift it" decide={decide} close={close}>
        <p>The study may then be deleted like any other, once an archive has confirmed it and the quota asks for room.</p>
      </Confirm>
    );
  }
  return (
    <Confirm title="Set a legal hold?" action="Hold it" reason="Reason" decide={decide} close={close}>
      <p>While it stands, nothing of this study is deleted from the box, whatever the quota says.</p>
    </Confirm>
  );
}
