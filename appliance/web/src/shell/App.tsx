import { useEffect } from "preact/hooks";
import { openUid, session } from "../state/station";
import { keysShown } from "../state/viewer";
import { perform } from "../viewport/actions";
import { actionOf } from "../viewport/keys";
import { KeysDialog } from "./KeysDialog";
import { SignIn } from "./SignIn";
import { StudyPage } from "./StudyPage";
import { WorklistPage } from "./Worklist";

/** Keys typed into a field belong to the field; Space and Enter belong to whatever control has the focus. */
export function keyBelongsTo(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement && target.type === "range") return key.startsWith("Arrow") || key === "Home" || key === "End";
  if (target.matches("input, select, textarea")) return key !== "Escape";
  return target.matches("button, a, summary") && (key === " " || key === "Enter");
}

export function App() {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (session.value !== "in" || event.defaultPrevented || keyBelongsTo(event.target, event.key)) return;
      const action = actionOf(event);
      const outsideStudy = openUid.value === null && action !== "show_keys" && action !== "close";
      const behindDialog = keysShown.value && action !== "close";
      if (action === null || outsideStudy || behindDialog) return;
      event.preventDefault();
      perform(action);
    };
    window.addEventListener("keydown", pressed);
    return () => {
      window.removeEventListener("keydown", pressed);
    };
  }, []);

  if (session.value === "checking") return <p class="quiet page-note">Connecting to the box…</p>;
  if (session.value === "out") return <SignIn />;
  return (
    <>
      {openUid.value === null ? <WorklistPage /> : <StudyPage />}
      <KeysDialog />
    </>
  );
}
