//! CT perfusion, by definition, on the twin: heads small enough for an oracle. That the GPU says the same is
//! perfusion/gpu.rs's matter; accuracy on a whole head is the digital brain's (sidelight-tests).

mod gpu;
mod motion;
mod oracle;
mod osipi;
mod refusals;

use std::ops::ControlFlow;

use sidelight_kernels::perfusion::{
    Choice, Dynamic, Method, Parameters, Perfusion, PerfusionError, SliceSeries, analyse,
};
use sidelight_kernels::{Dimensions, Processor, Region, Wish};

use crate::volumes::{Noise, dimensions, geometry};

pub(crate) fn twin() -> Processor {
    Processor::open(Wish::Twin).unwrap()
}

pub(crate) fn run(dynamic: &Dynamic, parameters: &Parameters) -> Perfusion {
    run_on(&mut twin(), dynamic, parameters).unwrap()
}

pub(crate) fn run_on(
    processor: &mut Processor,
    dynamic: &Dynamic,
    parameters: &Parameters,
) -> Result<Perfusion, PerfusionError> {
    analyse(processor, dynamic, parameters, &mut |_, _| ControlFlow::Continue(()))
}

/// A gamma variate of height 1 that begins at `start_s` and peaks after `rise_s`.
pub(crate) fn bolus(time_s: f64, start_s: f64, rise_s: f64) -> f64 {
    let x = (time_s - start_s) / rise_s;
    if x <= 0.0 { 0.0 } else { x.powi(3) * (3.0 * (1.0 - x)).exp() }
}

/// Voxels with curves of their own in one row; the first is the artery, the last the vein. Enhancement in HU over 30.
pub(crate) struct Row {
    pub(crate) step_s: f64,
    pub(crate) curves: Vec<Vec<f64>>,
}

impl Row {
    /// An artery, tissue by (blood volume mL/mL, transit time, delay), a vein. Ten times as strong as a real bolus, so
    /// that whole Hounsfield units do not blur the tissue.
    pub(crate) fn of_tissue(samples: usize, step_s: f64, tissue: &[(f64, f64, f64)]) -> Self {
        let time = |sample: usize| sample as f64 * step_s;
        let artery = |time_s: f64| 4000.0 * bolus(time_s, 8.0, 6.0);
        let through = |time_s: f64, transit_s: f64| {
            let fine = 0.05;
            let parts = (0..2000).map(|part| (f64::from(part) + 0.5) * fine);
            parts.map(|past| artery(time_s - past) * (-past / transit_s).exp() * fine).sum::<f64>()
        };
        let mut curves = vec![(0..samples).map(|sample| artery(time(sample))).collect()];
        for &(volume, transit_s, delay_s) in tissue {
            let curve = |sample| volume / transit_s * through(time(sample) - delay_s, transit_s);
            curves.push((0..samples).map(curve).collect());
        }
        curves.push((0..samples).map(|sample| through(time(sample) - 4.0, 3.0) / 3.0).collect());
        Self { step_s, curves }
    }

    pub(crate) fn dimensions(&self) -> Dimensions {
        dimensions(self.curves.len() as u32, 1, 1)
    }

    pub(crate) fn dynamic(&self) -> Dynamic {
        let samples = self.curves[0].len();
        let value = |sample: usize, curve: &Vec<f64>| (30.0 + curve[sample]).round() as i16;
        let hounsfield = (0..samples)
            .flat_map(|sample| self.curves.iter().map(move |curve| value(sample, curve)))
            .collect();
        let times_s = (0..samples).map(|sample| sample as f64 * self.step_s).collect();
        Dynamic::new(self.dimensions(), geometry(), vec![SliceSeries { times_s, hounsfield }]).unwrap()
    }

    /// Artery, vein and brain drawn; nothing smoothed, moved or converted.
    pub(crate) fn parameters(&self, method: Method) -> Parameters {
        let last = self.curves.len() as u32 - 1;
        let at = |wanted: u32| Region::from_fn(self.dimensions(), |column, _, _| column == wanted);
        Parameters {
            method,
            artery: Choice::Drawn(at(0)),
            vein: Choice::Drawn(at(last)),
            brain: Choice::Drawn(Region::from_fn(self.dimensions(), |column, _, _| {
                column > 0 && column < last
            })),
            k_h: 1.0,
            rho_g_per_ml: 1.0,
            smooth_artery: false,
            smoothing_mm: 0.0,
            correct_motion: false,
            ..Parameters::default()
        }
    }
}

const METHODS: [Method; 4] = [Method::OSVD, Method::CSVD, Method::TIKHONOV, Method::RICHARDSON_LUCY];

#[test]
fn outside_the_brain_every_map_is_nan_and_inside_none_but_mtt_may_be() {
    let row = Row::of_tissue(50, 1.0, &[(0.04, 4.0, 0.0), (0.02, 6.0, 2.0), (0.0, 5.0, 0.0)]);
    for method in METHODS {
        let maps = run(&row.dynamic(), &row.parameters(method)).maps;
        for (name, map) in [
            ("CBF", &maps.cbf),
            ("CBV", &maps.cbv),
            ("TTP", &maps.ttp),
            ("Tmax", &maps.tmax),
            ("MTT", &maps.mtt),
        ] {
            assert!(map[0].is_nan() && map[4].is_nan(), "{name} by {method:?} outside: {map:?}");
            assert!(map[1..3].iter().all(|value| value.is_finite()), "{name} by {method:?} inside: {map:?}");
        }
        assert!(maps.cbf[3].abs() < 1.0, "{method:?} finds flow where nothing flows: {}", maps.cbf[3]);
    }
}

#[test]
fn mtt_times_cbf_is_sixty_times_cbv() {
    let row = Row::of_tissue(50, 1.0, &[(0.04, 4.0, 0.0), (0.02, 6.0, 2.0), (0.05, 12.0, 5.0)]);
    for method in METHODS {
        let maps = run(&row.dynamic(), &row.parameters(method)).maps;
        for voxel in 1..4 {
            let (product, volume) = (maps.mtt[voxel] * maps.cbf[voxel], 60.0 * maps.cbv[voxel]);
            assert!((product - volume).abs() <= 1e-5 * volume.abs(), "{method:?}: {product} and {volume}");
        }
    }
}

#[test]
fn delay_changes_neither_flow_nor_volume_and_tmax_follows_it() {
    let delays_s = [-2.5, -1.0, 0.0, 1.0, 2.0, 4.0, 7.0];
    let tissue: Vec<_> = delays_s.iter().map(|&delay_s| (0.04, 4.0, delay_s)).collect();
    let row = Row::of_tissue(60, 1.0, &tissue);
    for method in [Method::OSVD, Method::CSVD, Method::TIKHONOV] {
        let maps = run(&row.dynamic(), &row.parameters(method)).maps;
        for (voxel, &delay_s) in (1..).zip(&delays_s) {
            let near = |map: &[f32], share: f32| (map[voxel] / map[3] - 1.0).abs() <= share;
            // Whole Hounsfield units and the samples move with the delay.
            assert!(near(&maps.cbf, 0.05), "{method:?}, delay {delay_s} s: CBF {:?}", maps.cbf);
            assert!(near(&maps.cbv, 0.02), "{method:?}, delay {delay_s} s: CBV {:?}", maps.cbv);
            let behind_s = f64::from(maps.tmax[voxel] - maps.tmax[3]);
            assert!((behind_s - delay_s).abs() < 0.25, "{method:?}, delay {delay_s} s: Tmax {:?}", maps.tmax);
        }
        assert!(maps.tmax[1] < -0.1, "tissue before the artery is not negative: {:?}", maps.tmax);
    }
}

#[test]
fn tmax_is_not_bound_to_the_steps_of_the_axis() {
    let tissue: Vec<_> = (0..10).map(|tenth| (0.05, 5.0, 3.0 + 0.1 * f64::from(tenth))).collect();
    let row = Row::of_tissue(60, 1.0, &tissue);
    let tmax = run(&row.dynamic(), &row.parameters(Method::CSVD)).maps.tmax;
    for voxel in 2..11 {
        let step_s = tmax[voxel] - tmax[voxel - 1];
        assert!((0.02..0.2).contains(&step_s), "0.1 s of delay moved Tmax by {step_s} s: {tmax:?}");
    }
}

#[test]
fn k_h_and_density_scale_flow_and_volume_and_leave_time_alone() {
    let row = Row::of_tissue(50, 1.0, &[(0.04, 4.0, 1.0), (0.02, 6.0, 2.0)]);
    let plain = run(&row.dynamic(), &row.parameters(Method::OSVD)).maps;
    let converted = Parameters { k_h: 0.733, rho_g_per_ml: 1.04, ..row.parameters(Method::OSVD) };
    let maps = run(&row.dynamic(), &converted).maps;
    for voxel in 1..3 {
        assert!((maps.cbf[voxel] / plain.cbf[voxel] - 0.733 / 1.04).abs() < 1e-4);
        assert!((maps.cbv[voxel] / plain.cbv[voxel] - 0.733 / 1.04).abs() < 1e-4);
        assert_eq!((maps.tmax[voxel], maps.ttp[voxel]), (plain.tmax[voxel], plain.ttp[voxel]));
    }
}

#[test]
fn the_vein_scales_the_artery_within_its_bounds_and_says_so() {
    let mut row = Row::of_tissue(50, 1.0, &[(0.04, 4.0, 1.0)]);
    let whole = run(&row.dynamic(), &row.parameters(Method::OSVD));
    assert_eq!(whole.vein_scale, None);
    // Half of the artery's voxel is something else.
    row.curves[0].iter_mut().for_each(|value| *value *= 0.5);
    let scaled = Parameters { scale_by_vein: true, ..row.parameters(Method::OSVD) };
    let found = run(&row.dynamic(), &scaled);
    let scale = found.vein_scale.unwrap();
    assert!((scale.factor - 2.0).abs() < 0.05 && scale.factor == scale.measured, "{scale:?}");
    assert!(
        (found.maps.cbf[1] / whole.maps.cbf[1] - 1.0).abs() < 0.05,
        "{} and {}",
        found.maps.cbf[1],
        whole.maps.cbf[1]
    );
    row.curves[0].iter_mut().for_each(|value| *value *= 0.25);
    let scale = run(&row.dynamic(), &scaled).vein_scale.unwrap();
    assert!(scale.factor == 2.5 && scale.measured > 6.0, "{scale:?}");
}

#[test]
fn slices_scanned_at_other_times_are_brought_onto_one_axis() {
    // The same tissue in two slices, the second scanned half an interval later.
    let curve = |time_s: f64| (30.0 + 200.0 * bolus(time_s, 12.0, 8.0)).round() as i16;
    let slice = |offset_s: f64| {
        let times_s: Vec<f64> = (0..30).map(|pass| 1.5 * f64::from(pass) + offset_s).collect();
        let hounsfield = times_s.iter().flat_map(|&time_s| vec![curve(time_s); 16]).collect();
        SliceSeries { times_s, hounsfield }
    };
    let size = dimensions(4, 4, 2);
    let dynamic = Dynamic::new(size, geometry(), vec![slice(0.0), slice(0.75)]).unwrap();
    let all = Region::from_fn(size, |_, _, _| true);
    let one = |slice| Region::from_fn(size, move |column, row, at| (column, row, at) == (1, 2, slice));
    let parameters = Parameters {
        brain: Choice::Drawn(all),
        artery: Choice::Drawn(one(0)),
        vein: Choice::Drawn(one(1)),
        correct_motion: false,
        ..Parameters::default()
    };
    let found = run(&dynamic, &parameters);
    let vein = found.vein.as_ref().unwrap();
    for (sample, (a, b)) in found.artery.enhancement_hu.iter().zip(&vein.enhancement_hu).enumerate() {
        let truth = 200.0 * bolus(found.times_s[sample], 12.0, 8.0);
        for value in [a, b] {
            assert!(
                (f64::from(*value) - truth).abs() < 4.0,
                "{} s: {value}, true {truth}",
                found.times_s[sample]
            );
        }
    }
    assert!((found.times_s[0] - 0.75).abs() < 1e-9 && found.times_s[1] - found.times_s[0] <= 1.0);
}

#[test]
fn slabs_of_any_size_make_the_same_maps() {
    let mut noise = Noise(11);
    let size = dimensions(37, 41, 5);
    let times_s: Vec<f64> = (0..40).map(f64::from).collect();
    let slice = |_| {
        let hounsfield = times_s.iter().flat_map(|&time_s| {
            let hu = 30.0 + 60.0 * bolus(time_s, 9.0, 7.0);
            (0..37 * 41).map(|_| hu as i16 + noise.below(20) as i16).collect::<Vec<i16>>()
        });
        let hounsfield = hounsfield.collect();
        SliceSeries { times_s: times_s.clone(), hounsfield }
    };
    let slices = (0..5).map(slice).collect();
    let dynamic = Dynamic::new(size, geometry(), slices).unwrap();
    let one = Region::from_fn(size, |column, row, slice| (column, row, slice) == (5, 5, 2));
    let parameters = Parameters {
        brain: Choice::Drawn(Region::circle(size, [18.0, 20.0], 15.0, 0..=4)),
        artery: Choice::Drawn(one.clone()),
        vein: Choice::Drawn(one),
        ..Parameters::default()
    };
    let bits = |perfusion: &Perfusion| {
        let maps = &perfusion.maps;
        let all = [&maps.cbf, &maps.cbv, &maps.mtt, &maps.ttp, &maps.tmax];
        all.map(|map| map.iter().map(|value| value.to_bits()).collect::<Vec<u32>>())
    };
    let expected = bits(&run(&dynamic, &parameters));
    for turn_voxels in [1, 2 * 37 * 41, usize::MAX] {
        let mut processor = twin().with_turn_voxels(turn_voxels);
        let found = run_on(&mut processor, &dynamic, &parameters).unwrap();
        assert!(bits(&found) == expected, "{turn_voxels} voxels a turn make other maps");
    }
}

#[test]
fn the_curve_of_a_region_is_the_mean_of_its_voxels() {
    let row = Row::of_tissue(50, 1.5, &[(0.04, 4.0, 0.0), (0.02, 6.0, 2.0), (0.05, 12.0, 5.0)]);
    let dynamic = row.dynamic();
    let found = run(&dynamic, &row.parameters(Method::OSVD));
    let curve = |columns: &[u32]| {
        let region = Region::from_fn(row.dimensions(), |column, _, _| columns.contains(&column));
        found.curve(&dynamic, &region).unwrap().enhancement_hu
    };
    let (one, other, both) = (curve(&[1]), curve(&[3]), curve(&[1, 3]));
    assert_eq!(one.len(), found.times_s.len());
    for sample in 0..one.len() {
        assert!((both[sample] - (one[sample] + other[sample]) / 2.0).abs() < 1e-3);
    }
    assert_eq!(curve(&[0]), found.artery.enhancement_hu);
}
