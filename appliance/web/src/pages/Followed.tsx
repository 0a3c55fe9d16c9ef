import type { ComponentChildren } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { follow, type Followed } from "../state/followed";
import { boxChanges } from "../state/station";

/** A document of the box for as long as the component is shown; `key` says when it is another document. */
export function useFollowed<T>(read: () => Promise<T>, key = ""): Followed<T> {
  // The reader belongs to the key: a page never changes what it reads in between.
  const followed = useMemo(() => follow(read, boxChanges), [key]);
  useEffect(() => followed.stop, [followed]);
  return followed;
}

/** Heading of a page, what it could not read, and its content once there is some. */
export function PageBody<T>({ title, lead, document, children }: {
  title: string;
  lead: string;
  document: Followed<T>;
  children: (value: T) => ComponentChildren;
}) {
  const { value, problem } = document;
  return (
    <div class="box-page-body">
      <div class="box-page-head">
        <h2>{title}</h2>
        <p class="quiet">{lead}</p>
      </div>
      {problem.value !== null && (
        <p class="problem" role="alert">
          {problem.value} {value.value !== null && "What you see may be old. "}
          <button type="button" onClick={document.reload}>Try again</button>
        </p>
      )}
      {value.value === null && problem.value === null && <p class="quiet page-note">Asking the box…</p>}
      {value.value !== null && children(value.value)}
    </div>
  );
}

/** Nothing to show, said so that nobody wonders whether it is broken. */
export function Nothing({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <div class="nothing" data-testid="nothing">
      <strong>{title}</strong>
      <p class="quiet">{children}</p>
    </div>
  );
}
