//! Nodules, and what is none: scars stuck to the pleura, bands, grains under 3 mm, bubbles, thick places of vessels.

use super::{Grid, Style};
use crate::phantoms::chest::Sample;
use crate::phantoms::random::Random;
use crate::phantoms::shape::{Point, length, minus};

use super::tree::Tube;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nodule,
    /// Calcified, under 3 mm: not worth a mark.
    Granuloma,
    /// A flat cushion on the pleura.
    Plaque,
    /// A line of collapsed lung.
    Band,
    /// Air without tissue.
    Bubble,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    pub(super) kind: Kind,
    pub(super) at: Point,
    pub(super) radius_mm: f32,
    pub(super) hounsfield: f32,
    /// Its axes, the first along `towards`.
    flat: [f32; 3],
    axes: [Point; 3],
    bulges: f32,
    rough: f32,
    phases: [f32; 3],
}

/// Chooses places: nodules first, none nearer than 12 mm to another, some at the pleura, some on vessels.
pub(super) fn place(
    nodules: usize,
    style: &Style,
    tubes: &[Tube],
    inside: &dyn Fn(Point) -> bool,
    random: &mut Random,
) -> Vec<Growth> {
    let mut placed: Vec<Growth> = Vec::new();
    for _ in 0..nodules {
        let nodule = Growth::nodule(style, random);
        let site = match random.below(5) {
            0 => at_pleura(inside, nodule.radius_mm * 0.3, random),
            1 => on_vessel(tubes, inside, random),
            _ => anywhere(inside, nodule.radius_mm + 1.0, random),
        };
        add(&mut placed, nodule, site);
    }
    for _ in 0..random.below(5) {
        let kind = [Kind::Granuloma, Kind::Plaque, Kind::Plaque, Kind::Band, Kind::Bubble][random.below(5)];
        let other = Growth::other(kind, random);
        let site = match kind {
            Kind::Plaque => at_pleura(inside, 0.0, random),
            _ => anywhere(inside, 3.0, random),
        };
        add(&mut placed, other, site);
    }
    placed
}

fn add(placed: &mut Vec<Growth>, growth: Growth, site: Option<(Point, Point)>) {
    let Some((at, towards)) = site else { return };
    let free =
        placed.iter().all(|other| length(minus(other.at, at)) > other.radius_mm + growth.radius_mm + 6.0);
    if free {
        placed.push(Growth { at, axes: frame(towards), ..growth });
    }
}

fn throw(random: &mut Random) -> Point {
    [(-118.0, 118.0), (-76.0, 76.0), (-50.0, 88.0)].map(|(low, high)| random.between(low, high) as f32)
}

fn direction(random: &mut Random) -> Point {
    let raw = [0; 3].map(|_| random.between(-1.0, 1.0) as f32);
    let norm = length(raw).max(0.05);
    raw.map(|value| value / norm)
}

/// In the lung with so much lung around it.
fn anywhere(inside: &dyn Fn(Point) -> bool, margin_mm: f32, random: &mut Random) -> Option<(Point, Point)> {
    for _ in 0..200 {
        let at = throw(random);
        let around = [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]];
        let free = |way: &Point| inside([0, 1, 2].map(|axis| at[axis] + margin_mm * way[axis]));
        if inside(at) && around.iter().all(free) {
            return Some((at, direction(random)));
        }
    }
    None
}

/// On the edge of the lung, so deep under it; the axis points out of the lung.
fn at_pleura(inside: &dyn Fn(Point) -> bool, depth_mm: f32, random: &mut Random) -> Option<(Point, Point)> {
    for _ in 0..200 {
        let (at, way) = (throw(random), direction(random));
        // Sideways, so that the bottom and the top of the lungs stay free.
        let way = [way[0], way[1], way[2] * 0.3];
        let along = |mm: f32| [0, 1, 2].map(|axis| at[axis] + way[axis] * mm);
        if !inside(at) {
            continue;
        }
        let edge = (1..60_u8).map(f32::from).find(|mm| !inside(along(*mm)));
        if let Some(mm) = edge.filter(|mm| *mm > 8.0) {
            return Some((along(mm - 0.5 - depth_mm), way));
        }
    }
    None
}

/// Beside a vessel, touching it.
fn on_vessel(tubes: &[Tube], inside: &dyn Fn(Point) -> bool, random: &mut Random) -> Option<(Point, Point)> {
    for _ in 0..200 {
        let tube = tubes[random.below(tubes.len())];
        let way = direction(random);
        let at = [0, 1, 2].map(|axis| 0.5 * (tube.from[axis] + tube.to[axis]) + 2.5 * way[axis]);
        if tube.radius_mm < 1.6 && inside(at) {
            return Some((at, way));
        }
    }
    None
}

/// Three axes at right angles, the first along `towards`.
fn frame(towards: Point) -> [Point; 3] {
    let norm = length(towards).max(1e-3);
    let first = towards.map(|value| value / norm);
    let other = if first[2].abs() < 0.8 { [0.0, 0.0, 1.0] } else { [1.0, 0.0, 0.0] };
    let cross = |a: Point, b: Point| {
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    };
    let second = cross(first, other);
    let norm = length(second);
    let second = second.map(|value| value / norm);
    [first, second, cross(first, second)]
}

impl Growth {
    fn nodule(style: &Style, random: &mut Random) -> Self {
        let mut between = |low: f64, high: f64| random.between(low, high) as f32;
        // Small ones are more frequent.
        let radius_mm = 2.0 + 8.0 * between(0.0, 1.0).powf(1.6);
        let ground_glass = between(0.0, 1.0) < 0.15 && radius_mm > 4.0;
        let hounsfield = if ground_glass { between(-620.0, -420.0) } else { style.solid_hu };
        Self {
            kind: Kind::Nodule,
            radius_mm,
            hounsfield,
            flat: [1.0, between(0.8, 1.0), between(0.8, 1.0)],
            rough: style.rough,
            bulges: style.bulges.round(),
            ..Self::plain(random)
        }
    }

    fn other(kind: Kind, random: &mut Random) -> Self {
        let mut between = |low: f64, high: f64| random.between(low, high) as f32;
        let (radius_mm, flat, hounsfield) = match kind {
            Kind::Nodule | Kind::Granuloma => (between(0.7, 1.4), [1.0; 3], between(150.0, 600.0)),
            Kind::Plaque => {
                (between(6.0, 16.0), [between(0.12, 0.22), 1.0, between(0.7, 1.0)], between(20.0, 60.0))
            }
            Kind::Band => (between(10.0, 25.0), [1.0, 0.08, between(0.1, 0.5)], between(-100.0, 30.0)),
            Kind::Bubble => (between(3.0, 10.0), [1.0, between(0.7, 1.0), 1.0], -975.0),
        };
        Self { kind, radius_mm, flat, hounsfield, ..Self::plain(random) }
    }

    fn plain(random: &mut Random) -> Self {
        Self {
            kind: Kind::Nodule,
            at: [0.0; 3],
            radius_mm: 0.0,
            hounsfield: 0.0,
            flat: [1.0; 3],
            axes: frame([1.0, 0.0, 0.0]),
            bulges: 2.0,
            rough: 0.0,
            phases: [0; 3].map(|_| random.between(0.0, 6.28) as f32),
        }
    }

    /// Distance to the surface, about.
    fn distance(&self, point: Point) -> f32 {
        let offset = minus(point, self.at);
        let local = [0, 1, 2].map(|axis| {
            let along: f32 = (0..3).map(|k| self.axes[axis][k] * offset[k]).sum();
            along / self.flat[axis]
        });
        let far = length(local).max(1e-3);
        let unit = local.map(|value| value / far);
        let wave = (self.bulges * unit[0] * 1.6 + self.phases[0]).sin()
            + (self.bulges * unit[1] * 1.6 + self.phases[1]).sin()
            + (self.bulges * unit[2] * 1.6 + self.phases[2]).sin();
        let thin = self.flat[0].min(self.flat[1]).min(self.flat[2]);
        (far - self.radius_mm * (1.0 + self.rough * wave)) * thin.max(0.5)
    }

    pub(super) fn draw(&self, grid: &Grid, z: f32, thick_mm: f32, samples: &mut [Sample]) {
        let reach = self.radius_mm * 1.5 + 1.0;
        if (z - self.at[2]).abs() > reach + thick_mm {
            return;
        }
        let looks = [-0.67, 0.0, 0.67].map(|share| z + share * thick_mm);
        let soft = if self.hounsfield < -300.0 && self.kind == Kind::Nodule { 2.0 } else { 0.9 };
        let bound = |axis: usize| (self.at[axis] - reach, self.at[axis] + reach);
        over(grid, [bound(0), bound(1)], |x, y, at| {
            let sample = &mut samples[at];
            let cover = looks.map(|z| (0.5 - self.distance([x, y, z]) / soft).clamp(0.0, 1.0));
            let cover = cover.iter().sum::<f32>() / 3.0;
            if cover > 0.0 && sample.lung {
                let drawn = sample.hounsfield + (self.hounsfield - sample.hounsfield) * cover;
                sample.hounsfield =
                    if self.kind == Kind::Bubble { drawn } else { drawn.max(sample.hounsfield) };
            }
        });
    }
}

/// Visits the grid points of a slice within a rectangle.
pub(super) fn over(grid: &Grid, bounds: [(f32, f32); 2], mut visit: impl FnMut(f32, f32, usize)) {
    let span = |axis: usize| {
        let index = |mm: f32| ((mm - grid.first_mm[axis]) / grid.step_mm[axis]).max(0.0) as usize;
        let size = grid.size[axis];
        index(bounds[axis].0).min(size)..(index(bounds[axis].1) + 1).min(size)
    };
    let columns = span(0);
    for row in span(1) {
        let y = grid.first_mm[1] + grid.step_mm[1] * row as f32;
        for column in columns.clone() {
            let x = grid.first_mm[0] + grid.step_mm[0] * column as f32;
            visit(x, y, row * grid.size[0] + column);
        }
    }
}
