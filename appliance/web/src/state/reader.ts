// Who reads at this station: typed once, kept until the page is closed. Never stored: stations are shared.
import { signal } from "@preact/signals";

export const readerName = signal("");
