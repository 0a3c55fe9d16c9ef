import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { enter, signInProblem } from "../state/station";
import { Brand } from "./Brand";

export function SignIn() {
  const token = useSignal("");
  const busy = useSignal(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    field.current?.focus();
  }, []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    busy.value = true;
    await enter(token.value.trim());
    busy.value = false;
  };
  return (
    <main class="sign-in">
      <form class="sign-in-card" onSubmit={submit}>
        <h1><Brand /></h1>
        <p class="quiet">Reading station. Sign in with the station token that the box printed when it started.</p>
        <label>
          Station token
          <input
            ref={field}
            type="password"
            autocomplete="current-password"
            required
            value={token.value}
            onInput={(event) => { token.value = event.currentTarget.value; }}
          />
        </label>
        {signInProblem.value !== null && <p class="problem" role="alert"><strong>Not signed in.</strong> {signInProblem.value}</p>}
        <button class="primary" type="submit" disabled={busy.value}>{busy.value ? "Signing in…" : "Sign in"}</button>
      </form>
    </main>
  );
}
