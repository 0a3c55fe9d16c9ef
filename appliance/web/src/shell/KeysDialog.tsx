import { useEffect, useRef } from "preact/hooks";
import { PAGES } from "../state/page";
import { openUid } from "../state/station";
import { keysShown } from "../state/viewer";
import { BINDING_GROUPS, keyCaps } from "../viewport/keys";
import { VOLUME_BINDINGS } from "../volume/keys";
import { Icon } from "./Icon";

/** All keys on one page. A native modal dialog, so focus stays inside and returns afterwards. */
export function KeysDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = keysShown.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} class="keys" aria-labelledby="keys-title" onClose={() => { keysShown.value = false; }}>
      <header>
        <h2 id="keys-title">Keys</h2>
        <button class="tool" type="button" onClick={() => { keysShown.value = false; }} aria-label="Close the list of keys"><Icon name="close" /></button>
      </header>
      <div class="keys-groups">
        {openUid.value === null && <PageKeys />}
        {openUid.value !== null && [...BINDING_GROUPS, { name: "In the 3-D view", bindings: VOLUME_BINDINGS }].map((group) => (
          <section key={group.name}>
            <h3>{group.name}</h3>
            <dl>
              {group.bindings.map((binding) => (
                <div key={binding.key}>
                  <dt>{keyCaps(binding.key).map((cap) => <kbd key={cap}>{cap}</kbd>)}</dt>
                  <dd>{binding.does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      {openUid.value !== null && <p class="quiet">
        On the image: left drag does what the chosen tool says, right drag zooms, middle drag or Shift moves the picture,
        the wheel scrolls, Ctrl and wheel zooms. Two fingers zoom and move. In the 3-D view left drag turns and the wheel
        zooms, or goes through the planes.
      </p>}
    </dialog>
  );
}

/** What works while no study is open. */
function PageKeys() {
  const keys = [...PAGES.map(({ key, title }) => ({ key, does: title })), { key: "?", does: "Show these keys" }, { key: "Escape", does: "Close" }];
  return (
    <section>
      <h3>Pages</h3>
      <dl>{keys.map(({ key, does }) => <div key={key}><dt>{keyCaps(key).map((cap) => <kbd key={cap}>{cap}</kbd>)}</dt><dd>{does}</dd></div>)}</dl>
      <p class="quiet">Open a study to see the keys of its images.</p>
    </section>
  );
}
