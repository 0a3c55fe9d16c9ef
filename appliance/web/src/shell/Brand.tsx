export function Brand() {
  return (
    <span class="brand">
      <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
        <circle cx="16" cy="16" r="11" fill="none" stroke="currentColor" stroke-width="2.5" />
        <path d="M16 5a11 11 0 0 1 0 22z" fill="currentColor" />
      </svg>
      Sidelight
    </span>
  );
}
