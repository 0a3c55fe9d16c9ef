//! Which way the chest faces and where its spine stands, so that the rule can say "before the vertebrae"
//! also for a patient who lies turned.

use super::NoHeart;
use super::grid::Grid;
use super::lungs::Hull;
use crate::mask::Mask;

/// Bone counts as spine this close to the line that bridges the lungs at the back, to either side and before it.
const SPINE_HALF_WIDTH_UM: i64 = 25_000;
const SPINE_BEHIND_UM: i64 = 12_000;
const SPINE_BEFORE_UM: i64 = 45_000;
/// The front of a vertebra is looked for only near its middle, where no aorta lies.
const CORRIDOR_UM: i64 = 8_000;
/// Levels without bone in front (discs) take the front of their neighbours within this distance.
const SMOOTH_UM: i64 = 24_000;

/// A frame that turns with the patient: `left` and `front` of a point, in micrometres.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    cell_um: [i64; 3],
    /// From the right lung's back to the left lung's, and its length.
    bridge: [i64; 2],
    length: i64,
}

impl Frame {
    /// (towards the patient's left, towards his front), of a point in cells.
    pub(super) fn place(&self, [x, y]: [i64; 2]) -> [i64; 2] {
        let [x, y] = [x * self.cell_um[0], y * self.cell_um[1]];
        let [across, down] = self.bridge;
        [(x * across + y * down) / self.length, (x * down - y * across) / self.length]
    }
}

/// The chest's frame and, slice by slice, where the spine is in it.
#[derive(Clone, Debug)]
pub(super) struct Thorax {
    pub(super) frame: Frame,
    /// Middle of the spine and front of the vertebra, (left, front) in micrometres.
    pub(super) spine: Vec<[i64; 2]>,
}

impl Thorax {
    pub(super) fn find(grid: &Grid, hulls: &[Hull], bone: &Mask) -> Result<Self, NoHeart> {
        let bridges: Vec<Option<([i64; 2], [i64; 2])>> =
            hulls.iter().map(|hull| back_bridge(grid, hull)).collect();
        let mut sum = [0, 0];
        for (from, to) in bridges.iter().flatten() {
            sum = [0, 1].map(|axis| sum[axis] + (to[axis] - from[axis]) * grid.cell_um[axis]);
        }
        let length = (sum[0] * sum[0] + sum[1] * sum[1]).isqrt();
        if length == 0 {
            return Err(NoHeart::OneLung);
        }
        // Kept short, so that products of positions and this vector stay far below 2^63.
        let bridge = sum.map(|um| um * 1_000_000 / length);
        let frame = Frame { cell_um: grid.cell_um, bridge, length: 1_000_000 };
        let seen: Vec<Option<[i64; 2]>> = (bridges.iter().enumerate())
            .map(|(z, bridge)| bridge.and_then(|ends| vertebra(grid, &frame, bone, z, ends)))
            .collect();
        let reach = grid.cells(2, SMOOTH_UM);
        let spine: Option<Vec<[i64; 2]>> = (0..seen.len()).map(|z| smooth(&seen, z, reach)).collect();
        spine.map(|spine| Self { frame, spine }).ok_or(NoHeart::NoSpine)
    }
}

/// The longest edge of the hull that faces the back: it spans the spine from lung to lung, right to left.
fn back_bridge(grid: &Grid, hull: &Hull) -> Option<([i64; 2], [i64; 2])> {
    let middle =
        hull.edges().map(|(from, _)| from[1] * 2).fold((0, 0), |(sum, count), y| (sum + y, count + 1));
    let mut best = None;
    let mut longest = 0;
    for (from, to) in hull.edges() {
        let (from, to) = if from[0] <= to[0] { (from, to) } else { (to, from) };
        let across = (to[0] - from[0]) * grid.cell_um[0];
        let down = (to[1] - from[1]) * grid.cell_um[1];
        let behind = (from[1] + to[1]) * middle.1 > middle.0;
        if behind && down.abs() * 10 < across * 7 && across > longest {
            longest = across;
            best = Some((from, to));
        }
    }
    best
}

/// Middle and front of the vertebra in one slice, where enough of one is seen.
fn vertebra(
    grid: &Grid,
    frame: &Frame,
    bone: &Mask,
    z: usize,
    ends: ([i64; 2], [i64; 2]),
) -> Option<[i64; 2]> {
    let [from, to] = [frame.place(ends.0), frame.place(ends.1)];
    let bridge = [0, 1].map(|axis| (from[axis] + to[axis]) / 2);
    let mut near = Vec::new();
    for y in 0..grid.size[1] {
        for x in (0..grid.size[0]).filter(|x| bone.get(*x, y, z)) {
            let place = frame.place([x as i64, y as i64]);
            let before = place[1] - bridge[1];
            if (place[0] - bridge[0]).abs() <= SPINE_HALF_WIDTH_UM
                && (-SPINE_BEHIND_UM..=SPINE_BEFORE_UM).contains(&before)
            {
                near.push(place);
            }
        }
    }
    // Two square centimetres of bone: less is a rib's head, not a vertebra.
    let enough = grid.cell_area_mm2_x100() * near.len() as i64 >= 200 * 100;
    let middle = near.iter().map(|place| place[0]).sum::<i64>() / (near.len() as i64).max(1);
    let front =
        near.iter().filter(|place| (place[0] - middle).abs() <= CORRIDOR_UM).map(|place| place[1]).max();
    front.filter(|_| enough).map(|front| [middle, front])
}

/// The median of what was seen in the slices around one, each coordinate by itself.
fn smooth(seen: &[Option<[i64; 2]>], z: usize, reach: usize) -> Option<[i64; 2]> {
    let mut reach = reach;
    loop {
        let window = &seen[z.saturating_sub(reach)..(z + reach + 1).min(seen.len())];
        let mut near: [Vec<i64>; 2] =
            [0, 1].map(|axis| window.iter().flatten().map(|place| place[axis]).collect());
        near.iter_mut().for_each(|values| values.sort_unstable());
        if !near[0].is_empty() {
            return Some(near.map(|values| values[values.len() / 2]));
        }
        if reach >= seen.len() {
            return None;
        }
        reach *= 2;
    }
}
