// The few pictograms the application needs, drawn on a 20 x 20 grid. Always beside a name, never alone.
const PATHS = {
  list: "M3 5h14M3 10h14M3 15h14",
  back: "M12 4 6 10l6 6",
  window: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  scroll: "M5 4h10v3H5zM5 8.5h10v3H5zM5 13h10v3H5z",
  pan: "M10 2v16M2 10h16M10 2 8 4.5M10 2l2 2.5M10 18l-2-2.5M10 18l2-2.5M2 10l2.5-2M2 10l2.5 2M18 10l-2.5-2M18 10l-2.5 2",
  zoom: "M8.5 3a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM12.5 12.5 17 17M6 8.5h5M8.5 6v5",
  circle: "M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM10 9.2v1.6M9.2 10h1.6",
  polygon: "M4 13C2.5 8 6 3.5 10 5s7-1 6.5 4-3 7-6.5 6.500S5 16.5 4 13z",
  invert: "M3.5 3.500h13v13h-13zM3.5 16.500l13-13",
  flipHorizontal: "M10 2v16M7.5 5v10L2.5 15zM12.5 5v10l5 0z",
  flipVertical: "M2 10h16M5 7.500h10L15 2.500zM5 12.500h10l0 5z",
  turnRight: "M15.5 8.500A6 6 0 1 0 16 11.500M16.5 4v5h-5",
  turnLeft: "M4.5 8.500A6 6 0 1 1 4 11.500M3.5 4v5h5",
  reset: "M4 7V4h3M16 7V4h-3M4 13v3h3M16 13v3h-3M8 8h4v4H8z",
  play: "M6 4l10 6-10 6z",
  stop: "M5.5 5.500h9v9h-9z",
  marks: "M2 10s3-5.5 8-5.500S18 10 18 10s-3 5.5-8 5.500S2 10 2 10zM10 7.800a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.400z",
  marksHidden: "M2 10s3-5.5 8-5.500S18 10 18 10s-3 5.5-8 5.500S2 10 2 10zM3 17 17 3",
  previous: "M12 5l-5 5 5 5M6 5v10",
  next: "M8 5l5 5-5 5M14 5v10",
  volume: "M10 2.500 16.500 6v8L10 17.500 3.500 14V6zM3.500 6 10 9.500 16.500 6M10 9.500v8",
  path: "M4 16c6 0 1-9 7-9 3 0 2-3 5-3M4 16m-1.500 0a1.5 1.5 0 1 0 3 0a1.5 1.5 0 1 0-3 0M16 4m-1.500 0a1.5 1.5 0 1 0 3 0a1.5 1.5 0 1 0-3 0",
  keys: "M2.5 5.500h15v9h-15zM5 8.500h1M8 8.500h1M11 8.500h1M14 8.500h1M6.5 11.800h7",
  close: "M5 5l10 10M15 5 5 15",
  warning: "M10 3 18 17H2zM10 8v4M10 14.200v.6",
  leave: "M8 4H4v12h4M12 6.500l4 3.5-4 3.500M16 10H8",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
