// Where the numbers of lesions go: beside the lesion, never on one, never on each other, never off the screen.
// Pure geometry in screen pixels.
import type { Point, Size } from "./placement";
import type { Bounds } from "./outline";

/** Free space between a lesion's box and its label: the leader's length. */
const LEADER_PX = 14;
const LEADERS_PX = [LEADER_PX, LEADER_PX * 2, LEADER_PX * 3.5];

/** Up and to the right first, as labels on drawings are read; then round the lesion. */
const DIRECTIONS: readonly Point[] = [
  { x: 1, y: -1 }, { x: -1, y: -1 }, { x: 1, y: 1 }, { x: -1, y: 1 },
  { x: 1, y: 0 }, { x: -1, y: 0 }, { x: 0, y: -1 }, { x: 0, y: 1 },
];

export function labelBounds(at: Point, label: Size): Bounds {
  return { left: at.x - label.width / 2, right: at.x + label.width / 2, top: at.y - label.height / 2, bottom: at.y + label.height / 2 };
}

export function overlap(one: Bounds, other: Bounds): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}

function candidates(box: Bounds, label: Size): Point[] {
  const middle = { x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2 };
  const half = { x: (box.right - box.left) / 2, y: (box.bottom - box.top) / 2 };
  return LEADERS_PX.flatMap((leader) =>
    DIRECTIONS.map(({ x, y }) => ({
      x: middle.x + x * (half.x + leader + label.width / 2),
      y: middle.y + y * (half.y + leader + label.height / 2),
    })),
  );
}

function within(box: Bounds, viewport: Size): boolean {
  return box.left >= 0 && box.top >= 0 && box.right <= viewport.width && box.bottom <= viewport.height;
}

/** Middles of the labels, one per box in order; null for a lesion that is off the screen or has no room beside it. */
export function labelPlaces(boxes: readonly Bounds[], label: Size, viewport: Size): (Point | null)[] {
  const screen: Bounds = { left: 0, top: 0, right: viewport.width, bottom: viewport.height };
  const taken: Bounds[] = [];
  return boxes.map((box) => {
    if (!overlap(box, screen)) return null;
    const place = candidates(box, label).find((middle) => {
      const bounds = labelBounds(middle, label);
      return within(bounds, viewport) && ![...boxes, ...taken].some((other) => overlap(bounds, other));
    });
    if (place === undefined) return null;
    taken.push(labelBounds(place, label));
    return place;
  });
}
