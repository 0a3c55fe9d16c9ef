//! CT perfusion: how much blood reaches each voxel, how much it holds, and how late it comes.
//!
//! ```text
//! dynamic --align passes (GPU or twin)--> poses --one time axis--> curves --survey--> baseline, peaks
//!    baseline --> brain, CSF        peaks --> arterial input, venous output
//! curves + arterial input --deconvolve (GPU or twin)--> CBF CBV MTT TTP Tmax --> core, hypoperfusion, mismatch
//! ```
//!
//! Definitions. With `c` the enhancement over the pre-bolus mean in HU (iodine is linear in it and the constant
//! cancels), `c_t = step * (c_a (*) k)` and `k = CBF * R`:
//!
//! | quantity | formula | unit |
//! |---|---|---|
//! | CBF | `6000 * k_H / rho * max k`, between samples by a parabola | mL/100 g/min |
//! | CBV | `100 * k_H / rho * integral c_t / integral c_a` | mL/100 g |
//! | MTT | `60 * CBV / CBF` | s |
//! | Tmax | `argmax k`, likewise; negative where tissue fills before the artery | s |
//! | TTP | `argmax c_t - t_0`, `t_0` the arrival of the bolus in the artery | s |
//!
//! **Fourier form.** Curves of `N` samples are padded to `L = 2 N`. The block-circulant matrix of the arterial input
//! is diagonal in Fourier space, its singular values are `step * |DFT(c_a)|`, and truncated SVD is division by the
//! components that are kept, both of a conjugate pair or none. No matrix is ever decomposed. The oscillation index
//! is `1/L * 1/max k * sum |k[i-m] - 2 k[i] + k[i+m]|` around the whole circle, so that it does not depend on delay,
//! with `m` the steps from one frame to the next, so that it does not depend on the step.
//!
//! Invariants: maps do not depend on the size of the slabs; a negative `k` is noise and stays negative (no `abs`);
//! outside the brain every map is NaN; what a guard doubts is withheld, not printed beside a warning.
//!
//! One pose is found for each pass of the table, so motion between the two positions of one shuttle pass is seen
//! as misfit, not corrected.
//!
//! Refuses: fewer than [`MIN_TIME_POINTS`] time points, no bolus, an empty or foreign region, parameters that are not
//! numbers. Validated on digital phantoms only; not for treatment selection.

mod axis;
mod bolus;
mod coarse;
mod curve;
mod dynamic;
mod feeders;
pub(crate) mod gpu;
mod guards;
mod mismatch;
mod motion;
mod parameters;
mod residue;
mod series;
mod tissue;

use std::ops::{ControlFlow, Range};

#[cfg(test)]
pub(crate) use axis::Tap;
use coarse::Coarse;
pub use curve::Curve;
pub(crate) use curve::vertex;
pub use dynamic::{Dynamic, DynamicError, MAX_FRAMES, SliceSeries};
pub(crate) use feeders::Survey;
pub use guards::Guard;
pub use mismatch::Mismatch;
#[cfg(test)]
pub(crate) use motion::Point;
pub use motion::{Motion, Pass, Pose};
pub use parameters::{Choice, Method, Parameters, Reference};
pub(crate) use residue::{Component, MINIMUM_COMPONENTS, Plan, RichardsonLucy};
pub(crate) use series::{Series, Warp};
use tissue::Segments;

use crate::engine::EngineError;
use crate::processor::Place;
use crate::{Checkpoint, Dimensions, Processor, ProcessorError, Region, cpu};

/// Time points below which a bolus is guessed, not measured.
pub const MIN_TIME_POINTS: usize = 10;

/// What a dynamic series says about the blood in a head.
#[derive(Clone, Debug)]
pub struct Perfusion {
    /// The common time axis of every curve, in the seconds of the series.
    pub times_s: Vec<f64>,
    pub maps: Maps,
    pub artery: Curve,
    /// `None` where no vein could be told from the arteries; a guard says so.
    pub vein: Option<Curve>,
    /// What the arterial input was multiplied with, when scaling was asked for.
    pub vein_scale: Option<VeinScale>,
    pub tissue: Tissue,
    /// When the bolus reached the artery, in the seconds of the series: the zero of TTP.
    pub arrival_s: f64,
    pub motion: Motion,
    /// What makes core and mismatch doubtful. Not empty: [`mismatch`](Self::mismatch) is `None`.
    pub guards: Vec<Guard>,
    /// Core, hypoperfusion and their volumes; withheld where a guard failed.
    pub mismatch: Option<Mismatch>,
    axis: axis::TimeAxis,
    baseline_samples: usize,
}

/// One value a voxel, slice by slice, row by row, column fastest; NaN outside the brain.
#[derive(Clone, Debug, PartialEq)]
pub struct Maps {
    /// mL/100 g/min, at least 0.
    pub cbf: Vec<f32>,
    /// mL/100 g; noise may make it negative.
    pub cbv: Vec<f32>,
    /// s; NaN also where no flow was found.
    pub mtt: Vec<f32>,
    /// s after the bolus reached the artery.
    pub ttp: Vec<f32>,
    /// s; negative where tissue fills before the artery.
    pub tmax: Vec<f32>,
}

/// What the voxels are. `brain` is where maps are made; `vessels` is a part of it, `csf` is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tissue {
    pub brain: Region,
    pub vessels: Region,
    pub csf: Region,
}

/// The factor on the arterial input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VeinScale {
    /// As used.
    pub factor: f64,
    /// `integral of vein / integral of artery`, before it was kept within its bounds.
    pub measured: f64,
}

/// Why there is no analysis.
#[derive(Debug, thiserror::Error)]
pub enum PerfusionError {
    #[error("{parameter} must be within {low} and {high}, not {value}")]
    Parameter { parameter: &'static str, value: f64, low: f64, high: f64 },
    #[error("a region is made for {region:?} but the series has {series:?}")]
    RegionMismatch { series: Dimensions, region: Dimensions },
    #[error("the region of the {0} holds no voxel")]
    EmptyRegion(&'static str),
    #[error("only {left} of {all} time points are left after motion; {MIN_TIME_POINTS} are needed")]
    TooMuchMotion { left: usize, all: usize },
    #[error("{seconds:.0} s of {step_s} s steps are more than the {most} that are taken")]
    TooLong { seconds: f64, step_s: f64, most: usize },
    #[error("no bolus is seen: the strongest enhancement is {peak_hu:.0} HU")]
    NoBolus { peak_hu: f64 },
    #[error("no brain is found in the series; draw it")]
    NoBrain,
    #[error("no artery is found in the series; draw one")]
    NoArtery,
    #[error("the region of the {0} does not enhance")]
    NoEnhancement(&'static str),
    #[error("the analysis was cancelled")]
    Cancelled,
    #[error(transparent)]
    Processor(#[from] ProcessorError),
}

impl From<EngineError> for PerfusionError {
    fn from(error: EngineError) -> Self {
        Self::Processor(error.into())
    }
}

/// Parts of the whole, as fractions at which they begin and end.
const ALL: [f32; 2] = [0.0, 1.0];
const ALIGNMENT: [f32; 2] = [0.0, 0.3];
const SURVEY: [f32; 2] = [0.3, 0.55];
const MAPS: [f32; 2] = [0.55, 1.0];

/// Makes every map, curve and volume of `dynamic`.
///
/// `checkpoint` is called with the fraction done (0 to 1) between turns of bounded work, and may use the processor there;
/// `Break` ends with [`PerfusionError::Cancelled`].
pub fn analyse(
    processor: &mut Processor,
    dynamic: &Dynamic,
    parameters: &Parameters,
    checkpoint: Checkpoint<'_>,
) -> Result<Perfusion, PerfusionError> {
    parameters.check()?;
    check_regions(dynamic.dimensions(), parameters)?;
    processor.recovering(|processor| attempt(processor, dynamic, parameters, checkpoint))
}

fn attempt(
    processor: &mut Processor,
    dynamic: &Dynamic,
    parameters: &Parameters,
    checkpoint: Checkpoint<'_>,
) -> Result<Perfusion, PerfusionError> {
    let mut turn = |processor: &mut Processor, [begins, ends]: [f32; 2], part: f32| {
        let done = begins + (ends - begins) * part;
        match processor.lend(|processor| checkpoint(processor, done))? {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(PerfusionError::Cancelled),
        }
    };
    turn(processor, ALL, 0.0)?;
    let mut coarse = Coarse::new(dynamic);
    for passes in passes_of_turns(processor, dynamic.passes()) {
        turn(processor, ALIGNMENT, 0.0)?;
        processor.on_cpu(|| coarse.add(dynamic, passes));
    }
    let motion = if parameters.correct_motion {
        motion::align(processor, &coarse, &mut |processor, part| turn(processor, ALIGNMENT, part))?
    } else {
        Motion::still(dynamic.passes())
    };
    let axis = axis::TimeAxis::new(dynamic, &motion.kept(), parameters.step_s)?;
    let bolus = bolus::find(&coarse, &axis)?;
    drop(coarse);
    let series = Series::new(dynamic, &motion, &axis, bolus.baseline_samples);
    let survey = survey(processor, &series, &mut |processor, part| turn(processor, SURVEY, part))?;
    turn(processor, SURVEY, 1.0)?;
    let Segments { brain, csf, inside } =
        processor.on_cpu(|| tissue::segment(dynamic, &survey.baseline_hu, parameters))?;
    turn(processor, SURVEY, 1.0)?;
    let artery = feeders::artery(&series, &survey, &inside, &parameters.artery)?;
    turn(processor, SURVEY, 1.0)?;
    let vein = feeders::vein(&series, &survey, &inside, &parameters.vein, &artery)?;
    let vein_scale =
        parameters.scale_by_vein.then(|| vein_scale(&artery, vein.as_ref(), parameters)).flatten();
    let plan = Plan::new(&artery, &axis, vein_scale.map_or(1.0, |scale| scale.factor), parameters);
    let work = Work { series: &series, plan: &plan, brain: &brain, smoothing_mm: parameters.smoothing_mm };
    let maps = work.maps(processor, &mut |processor, part| turn(processor, MAPS, part))?;
    turn(processor, MAPS, 1.0)?;
    let vessels = mismatch::vessels(&maps, &brain, parameters.vessel_over_cbv);
    let tissue = Tissue { brain, vessels, csf };
    let guards = guards::check(&axis, &motion, &bolus, &artery, vein.as_ref());
    let mismatch =
        guards.is_empty().then(|| mismatch::measure(dynamic, &maps, &tissue, parameters)).flatten();
    turn(processor, ALL, 1.0)?;
    Ok(Perfusion {
        times_s: axis.times_s(),
        arrival_s: axis.seconds(plan.arrival()),
        baseline_samples: bolus.baseline_samples,
        maps,
        artery,
        vein,
        vein_scale,
        tissue,
        motion,
        guards,
        mismatch,
        axis,
    })
}

/// Hears of each turn, with the part of the work that is done, and has the processor meanwhile.
type Turn<'a> = &'a mut dyn FnMut(&mut Processor, f32) -> Result<(), PerfusionError>;

fn survey(processor: &mut Processor, series: &Series<'_>, turn: Turn<'_>) -> Result<Survey, PerfusionError> {
    let most_voxels = processor.turn_voxels();
    if let Place::Gpu(gpu) = processor.place() {
        let layout = gpu::layout(gpu, series, most_voxels)?;
        gpu::reserve(gpu, series, &layout)?;
        return gpu::survey(processor, series, &layout, turn);
    }
    let nothing = vec![0.0; series.dimensions().len()];
    let mut survey = Survey { baseline_hu: nothing.clone(), peak_hu: nothing.clone(), peak_sample: nothing };
    for stripe in stripes(processor, series.dimensions()) {
        turn(processor, stripe.part(series.dimensions()))?;
        processor.on_cpu(|| cpu::perfusion::survey(series, &stripe, &mut survey));
    }
    Ok(survey)
}

/// What maps are made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work<'a> {
    pub(crate) series: &'a Series<'a>,
    pub(crate) plan: &'a Plan,
    pub(crate) brain: &'a Region,
    pub(crate) smoothing_mm: f64,
}

impl Work<'_> {
    fn maps(&self, processor: &mut Processor, turn: Turn<'_>) -> Result<Maps, PerfusionError> {
        let nowhere = vec![f32::NAN; self.series.dimensions().len()];
        let mut maps = Maps {
            cbf: nowhere.clone(),
            cbv: nowhere.clone(),
            mtt: nowhere.clone(),
            ttp: nowhere.clone(),
            tmax: nowhere,
        };
        let most_voxels = processor.turn_voxels();
        if let Place::Gpu(gpu) = processor.place() {
            let layout = gpu::layout(gpu, self.series, most_voxels)?;
            gpu::maps(processor, self, &layout, &mut maps, turn)?;
            return Ok(maps);
        }
        let dimensions = self.series.dimensions();
        for stripe in stripes(processor, dimensions) {
            turn(processor, stripe.part(dimensions))?;
            processor.on_cpu(|| cpu::perfusion::maps(self, &stripe, &mut maps));
        }
        Ok(maps)
    }
}

/// What the twin works on in a turn: some rows of a slice.
#[derive(Clone, Debug)]
pub(crate) struct Stripe {
    pub(crate) slice: u32,
    pub(crate) rows: Range<u32>,
}

impl Stripe {
    /// The part of all that lies before it.
    fn part(&self, dimensions: Dimensions) -> f32 {
        (self.slice * dimensions.rows + self.rows.start) as f32 / (dimensions.slices * dimensions.rows) as f32
    }

    /// Its voxels in the order of the maps.
    pub(crate) fn voxels(&self, dimensions: Dimensions) -> Range<usize> {
        let place = |row: u32| {
            (self.slice as usize * dimensions.rows as usize + row as usize) * dimensions.columns as usize
        };
        place(self.rows.start)..place(self.rows.end)
    }
}

/// The stripes one after the other: a band for each thread, which takes it 40 ms where all of it is brain (512 columns,
/// 45 time points); a band where a test wants turns to be small.
fn stripes(processor: &Processor, dimensions: Dimensions) -> impl Iterator<Item = Stripe> + use<> {
    let bands = processor.turn_voxels().map_or_else(|| processor.threads(), |_| 1);
    let height = u32::try_from(bands).unwrap_or(u32::MAX).saturating_mul(cpu::perfusion::BAND_ROWS);
    (0..dimensions.slices).flat_map(move |slice| {
        let stripe = move |first: u32| Stripe {
            slice,
            rows: first..first.saturating_add(height).min(dimensions.rows),
        };
        (0..dimensions.rows).step_by(height as usize).map(stripe)
    })
}

/// The passes that are worked on in one turn of the CPU after the other, each on a thread of its own.
fn passes_of_turns(processor: &Processor, passes: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let threads = processor.threads();
    (0..passes).step_by(threads).map(move |first| first..(first + threads).min(passes))
}

fn check_regions(series: Dimensions, parameters: &Parameters) -> Result<(), PerfusionError> {
    let choices = [("artery", &parameters.artery), ("vein", &parameters.vein), ("brain", &parameters.brain)];
    for (name, choice) in choices {
        if let Choice::Drawn(region) = choice {
            curve::check(series, name, region)?;
        }
    }
    Ok(())
}

fn vein_scale(artery: &Curve, vein: Option<&Curve>, parameters: &Parameters) -> Option<VeinScale> {
    let measured = vein?.integral() / artery.integral();
    measured
        .is_finite()
        .then(|| VeinScale { factor: measured.clamp(1.0, parameters.vein_scale_max), measured })
}
