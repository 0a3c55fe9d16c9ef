import { effect } from "@preact/signals";
import { render } from "preact";
import { App } from "./shell/App";
import { openStudy } from "./state/opened";
import { openUid, session, start } from "./state/station";
import { followStructures } from "./state/structures";
import { followChosenFinding } from "./state/threshold";
import { followOpenedSeries, shown } from "./state/viewer";
import { followVolume } from "./volume/state";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/viewport.css";
import "./styles/results.css";
import "./styles/pages.css";
import "./styles/volume.css";
import "./styles/perfusion.css";

effect(() => {
  // Not before signing in: the address may already name a study.
  openStudy(session.value === "in" ? openUid.value : null);
});
followOpenedSeries();
followChosenFinding();
followStructures();
followVolume();
// Browser tests wait for this; painting itself sets it, this takes it back.
effect(() => {
  if (shown.value === null) delete document.documentElement.dataset.ready;
});

const place = document.getElementById("app");
if (place !== null) render(<App />, place);
void start();
