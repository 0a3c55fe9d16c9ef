import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { attention } from "../state/box-words";
import { pageHash, PAGES, type PageName } from "../state/page";
import { box, leave } from "../state/station";
import { Brand } from "./Brand";
import { Icon } from "./Icon";
import { BoxLine, ConnectionNote } from "./Worklist";

/** The frame of every page that is not a study: brand, navigation, state of the box. */
export function PageFrame({ name, children }: { name: PageName; children: ComponentChildren }) {
  return (
    <div class="box-page">
      <header class="top-bar">
        <h1><Brand /></h1>
        <nav class="pages" aria-label="Pages">
          {PAGES.map((page) => <PageLink key={page.name} page={page} current={page.name === name} />)}
        </nav>
        <ConnectionNote />
        <button class="tool" type="button" onClick={() => void leave()}><Icon name="leave" /> <span>Sign out</span></button>
      </header>
      <main class="box-page-main">{children}</main>
      <BoxLine />
    </div>
  );
}

function PageLink({ page, current }: { page: (typeof PAGES)[number]; current: boolean }) {
  const waiting = attention(page.name, box.value);
  const link = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    // On a phone the navigation is wider than the screen.
    if (current) link.current?.scrollIntoView({ inline: "center", block: "nearest" });
  }, [current]);
  return (
    <a ref={link} href={pageHash(page.name)} aria-current={current ? "page" : undefined} data-testid={`page-${page.name}`} title={`Key ${page.key}`}>
      {page.title}
      {waiting > 0 && <span class="count attention">{waiting}<span class="sr-only"> need a person</span></span>}
    </a>
  );
}
