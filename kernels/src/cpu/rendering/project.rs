//! One value of all along a ray, through the window, with the labels gathered over it.

use wide::{CmpGt, CmpLt, f32x4};

use super::{Marcher, Ray, Rays};
use crate::cpu::four::{Spots, whole};

impl Marcher<'_> {
    /// The largest of the values times `sign`; cells that hold nothing larger are leapt over.
    ///
    /// Which samples come first changes no maximum, so where there are no labels the rays begin where those beside them
    /// found their own: most of the rest then is leapt over.
    pub(super) fn extreme(&self, rays: &Rays, sign: f32, guess_mm: &mut f32x4) -> [[f32; 4]; 4] {
        let [low, high] = self.window();
        // What the window shows as its darkest level, or brightest, is as good as anything beyond.
        let (least, enough) = if sign > 0.0 { (low, high) } else { (-high, -low) };
        let (sign, enough) =
            (f32x4::splat(sign), f32x4::splat(if self.labels.is_none() { enough } else { f32::MAX }));
        let mut over = [[0.0; 4]; 4];
        let mut best = f32x4::splat(least);
        let mut best_step = self.step_at(rays, *guess_mm);
        if self.labels.is_none() {
            best = best.fast_max(sign * self.values.values(&self.spots(rays, best_step)));
        }
        let mut step = f32x4::ZERO;
        loop {
            let going = step.cmp_lt(rays.steps) & best.cmp_lt(enough);
            if going.none() {
                break;
            }
            let spots = self.spots(rays, step);
            let (most, distances) = self.most(&spots, sign);
            let nothing = !most.cmp_gt(best) & distances.cmp_gt(f32x4::ZERO);
            let mut next = step + f32x4::ONE;
            if nothing.any() {
                next = nothing.blend(self.leap(rays, step, &spots, distances), next);
                if (going & !nothing).none() {
                    step = next;
                    continue;
                }
            }
            // A lane that leaps looks once more at what it may see: its maximum does not mind.
            let found = going.blend(sign * self.values.values(&spots), best);
            best_step = found.cmp_gt(best).blend(step, best_step);
            best = best.fast_max(found);
            self.lay_labels(&spots, going & !nothing, &mut over);
            step = next;
        }
        *guess_mm = rays.start + (best_step + rays.offset) * f32x4::splat(self.frame.step_mm);
        let values = (sign * best).to_array();
        [0, 1, 2, 3].map(|lane: usize| self.over_grey(values[lane], over[lane]))
    }

    /// Most that the cells of four samples hold, times `sign`, and their distances.
    #[inline(always)]
    fn most(&self, spots: &Spots, sign: f32x4) -> (f32x4, f32x4) {
        let side = usize::from(sign.to_array()[0] > 0.0);
        let of = |lane: usize| {
            let cell = self.cell(spots, lane);
            (f32::from(self.cells.extremes[cell][side]), f32::from(self.distances[cell]))
        };
        let (a, b, c, d) = (of(0), of(1), of(2), of(3));
        (sign * f32x4::from([a.0, b.0, c.0, d.0]), f32x4::from([a.1, b.1, c.1, d.1]))
    }

    /// The mean along one ray, four samples at once.
    pub(super) fn average(&self, ray: &Ray) -> [f32; 4] {
        // The same ray four times, each a step ahead of the one before.
        let rays = Rays::new(&[*ray; 4]);
        let mut over = [[0.0; 4]; 4];
        let mut sum = f32x4::ZERO;
        let mut step = f32x4::from([0.0, 1.0, 2.0, 3.0]);
        while step.to_array()[0] < ray.steps {
            let spots = self.spots(&rays, step);
            sum += self.values.values(&spots) * self.part_of_step(&rays, step);
            if self.labels.is_some() {
                self.lay_along(&spots, step.cmp_lt(rays.steps), &mut over[0]);
            }
            step += f32x4::splat(4.0);
        }
        let weights = ((ray.end - ray.start) * self.steps_per_mm).max(1e-6);
        self.over_grey(sum.reduce_add() / weights, over[0])
    }

    /// The steps whose samples are nearest to a distance from each ray's origin.
    fn step_at(&self, rays: &Rays, along_mm: f32x4) -> f32x4 {
        let step = (along_mm - rays.start) * f32x4::splat(self.steps_per_mm) - rays.offset;
        let last = rays.steps - f32x4::ONE;
        whole(step.fast_max(f32x4::ZERO).fast_min(last)).round_float()
    }

    /// Values that the window shows as the darkest and the brightest level.
    fn window(&self) -> [f32; 2] {
        let low = self.frame.window_low;
        [low, low + 255.0 / self.frame.window_per_value]
    }

    /// A value through the window, with the labels over it.
    fn over_grey(&self, value: f32, over: [f32; 4]) -> [f32; 4] {
        let level = (value - self.frame.window_low) * self.frame.window_per_value;
        let grey = level.clamp(0.0, 255.0) / 255.0 * (1.0 - over[3]);
        [over[0] + grey, over[1] + grey, over[2] + grey, 1.0]
    }

    /// The label of a sample of each ray over what was laid before.
    fn lay_labels(&self, spots: &Spots, wanted: f32x4, over: &mut [[f32; 4]; 4]) {
        if self.labels.is_none() {
            return;
        }
        for (lane, over) in
            over.iter_mut().enumerate().filter(|(lane, _)| wanted.move_mask() >> lane & 1 == 1)
        {
            lay(self.label(spots, lane), over);
        }
    }

    /// The labels of four samples of one ray.
    fn lay_along(&self, spots: &Spots, wanted: f32x4, over: &mut [f32; 4]) {
        for lane in (0..4).filter(|lane| wanted.move_mask() >> lane & 1 == 1) {
            lay(self.label(spots, lane), over);
        }
    }
}

fn lay(label: [f32; 4], over: &mut [f32; 4]) {
    let weight = (1.0 - over[3]) * label[3];
    for (sum, part) in over.iter_mut().zip([label[0], label[1], label[2], 1.0]) {
        *sum += weight * part;
    }
}
