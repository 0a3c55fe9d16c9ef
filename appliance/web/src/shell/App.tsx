import { useEffect } from "preact/hooks";
import { BoxPage } from "../pages/BoxPage";
import { pageHash, PAGES } from "../state/page";
import { openUid, session } from "../state/station";
import { keysShown } from "../state/viewer";
import { perform } from "../viewport/actions";
import { actionOf } from "../viewport/keys";
import { volumeActOf } from "../volume/keys";
import { volumeHasKeys } from "../volume/state";
import { KeysDialog } from "./KeysDialog";
import { SignIn } from "./SignIn";
import { StudyPage } from "./StudyPage";

/** Keys typed into a field belong to the field; Space and Enter belong to whatever control has the focus. */
export function keyBelongsTo(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement && target.type === "range") return key.startsWith("Arrow") || key === "Home" || key === "End";
  if (target.matches("input, select, textarea")) return key !== "Escape";
  return target.matches("button, a, summary") && (key === " " || key === "Enter");
}

/** While no study is open, a page's own key opens it. */
function openPage(event: KeyboardEvent): boolean {
  if (event.altKey || event.metaKey || event.ctrlKey) return false;
  const page = PAGES.find(({ key }) => key === event.key);
  if (page === undefined) return false;
  event.preventDefault();
  location.hash = pageHash(page.name);
  return true;
}

export function App() {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (session.value !== "in" || event.defaultPrevented || keyBelongsTo(event.target, event.key)) return;
      const act = volumeHasKeys() && openUid.value !== null ? volumeActOf(event) : null;
      if (act !== null) {
        event.preventDefault();
        act();
        return;
      }
      const action = actionOf(event);
      // A question's own keys are the browser's: Escape cancels it.
      const behindQuestion = document.querySelector("dialog.confirm[open]") !== null;
      const behindKeys = keysShown.value && action !== "close";
      if (behindQuestion || behindKeys) return;
      if (openUid.value === null && openPage(event)) return;
      const outsideStudy = openUid.value === null && action !== "show_keys" && action !== "close";
      const behindVolume = volumeHasKeys() && action !== "toggle_volume" && action !== "show_keys" && action !== "close";
      if (action === null || outsideStudy || behindVolume) return;
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
      {openUid.value === null ? <BoxPage /> : <StudyPage />}
      <KeysDialog />
    </>
  );
}
