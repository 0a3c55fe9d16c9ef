import type { FindingState } from "../api/types";
import { STATE_WORDS } from "../state/words";

/** A sign and a word for the state; the colour only repeats them. */
export function StateBadge({ state, short = false }: { state: FindingState; short?: boolean }) {
  const { sign, name, meaning } = STATE_WORDS[state];
  return (
    <span class={`badge ${state}`} data-testid={short ? undefined : "finding-state"} data-state={state} title={meaning}>
      <span aria-hidden="true">{sign}</span> {name}
    </span>
  );
}
