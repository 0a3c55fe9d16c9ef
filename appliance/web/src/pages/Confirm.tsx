// A decision that is on record for ever is asked for twice: what it does, who decides, and only then it is done.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { readerName } from "../state/reader";

/** As long as the box takes. */
const NAME_LENGTH_MAX = 64;
const REASON_LENGTH_MAX = 500;

/** `reason` names the field for one where the decision needs it. */
export function Confirm({ title, action, reason, children, decide, close }: {
  title: string;
  action: string;
  reason?: string;
  children: ComponentChildren;
  decide: (by: string, reason: string) => Promise<void>;
  close: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const busy = useSignal(false);
  const problem = useSignal<string | null>(null);
  const why = useSignal("");
  useEffect(() => {
    dialog.current?.showModal();
  }, []);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    busy.value = true;
    problem.value = null;
    try {
      await decide(readerName.value.trim(), why.value.trim());
      close();
    } catch (thrown) {
      problem.value = thrown instanceof Error ? thrown.message : "The box did not take it. Try again.";
    }
    busy.value = false;
  };

  return (
    <dialog ref={dialog} class="confirm" aria-labelledby="confirm-title" onClose={close}>
      <form onSubmit={submit}>
        <h2 id="confirm-title">{title}</h2>
        <div class="confirm-text">{children}</div>
        {reason !== undefined && (
          <label>
            {reason}
            <input
              type="text" required maxLength={REASON_LENGTH_MAX} data-testid="confirm-reason" value={why.value}
              onInput={(event) => { why.value = event.currentTarget.value; }}
            />
          </label>
        )}
        <label>
          Your name, for the audit journal
          <input
            type="text" required maxLength={NAME_LENGTH_MAX} autocomplete="name" data-testid="confirm-name" value={readerName.value}
            onInput={(event) => { readerName.value = event.currentTarget.value; }}
          />
        </label>
        {problem.value !== null && <p class="problem" role="alert">{problem.value}</p>}
        <div class="buttons">
          <button class="primary" type="submit" data-testid="confirm-do" disabled={busy.value}>{action}</button>
          <button type="button" onClick={close}>Cancel</button>
        </div>
      </form>
    </dialog>
  );
}
