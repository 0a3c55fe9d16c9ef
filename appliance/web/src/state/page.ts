// The pages beside a study: their addresses, names and keys.

export type PageName = "studies" | "ledger" | "destinations" | "identity" | "quarantine" | "keeping";

/** A page; the ledger may be that of one study. */
export type Page = { name: Exclude<PageName, "ledger"> } | { name: "ledger"; study: string | null };

/** In the order of the navigation; the key opens it while no study is open. */
export const PAGES: readonly { name: PageName; title: string; key: string }[] = [
  { name: "studies", title: "Studies", key: "1" },
  { name: "ledger", title: "Ledger", key: "2" },
  { name: "destinations", title: "Destinations", key: "3" },
  { name: "identity", title: "Identity", key: "4" },
  { name: "quarantine", title: "Quarantine", key: "5" },
  { name: "keeping", title: "Keeping", key: "6" },
];

export function pageHash(name: PageName): string {
  return name === "studies" ? "#/" : `#/${name}`;
}

export function ledgerHash(study: string): string {
  return `#/ledger/${encodeURIComponent(study)}`;
}

/** Anything unknown is the list of studies. */
export function pageFromHash(hash: string): Page {
  const [, name = "", rest = null] = /^#\/([a-z]+)(?:\/([^/]+))?$/.exec(hash) ?? [];
  if (name === "ledger") return { name, study: rest === null ? null : decoded(rest) };
  const known = PAGES.find((page) => page.name === name && rest === null);
  return known === undefined || known.name === "ledger" ? { name: "studies" } : { name: known.name };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
