//! What a CT shows without a network: the body's outline, both lungs, the airway, bone, fat, lean soft tissue.
//!
//! ```text
//! volume --reduce--> cells of at most 3 mm --rules (pieces, reach, holes)--> a state for each cell
//!        --classify: the state and the voxel's own Hounsfield units--> one label a voxel, counted
//! ```
//! The two ends read or write every voxel and run on the GPU or its twin; the middle works on a hundredth of them and runs
//! on the CPU wherever the ends run, so the labels are the same everywhere. Integer arithmetic throughout. Sizes are
//! millimetres and directions the patient's.
//!
//! It knows densities and shapes, nothing else: [`RULE`] says to the reader what that costs.

mod airway;
mod bone;
mod cells;
pub(crate) mod gpu;
mod lungs;
mod pieces;
mod state;

use std::ops::{ControlFlow, Range};

pub(crate) use cells::{Cells, LOWEST_HU, Reduction};
pub(crate) use state::State;

use crate::engine::EngineError;
use crate::processor::Place;
use crate::{Checkpoint, Processor, Volume, cpu};

/// How structures are told apart and where that fails, for the reader of a finding.
pub const RULE: &str = "By density and shape, no network: the body without the couch; lungs are air of at least 20 mL \
inside it that is not mostly pure gas (bowel is), told right from left by the side they lie on; the airway is the gas that \
hangs together with the windpipe, as far as 3 mm cells show it; bone is denser than 110 HU within 6 mm of pieces denser \
than 160 HU, with its marrow (and the spinal canal where bone closes around it); fat is -190 to -30 HU; lean soft tissue is -29 to 150 HU: muscle, and organs and vessels of the \
same density with it. Consolidated lung and effusion count as soft tissue, much emphysema may not count as lung, calcified \
vessels and stents that touch bone count as bone, and calcified cartilage does.";

/// Every label; `Body` is what lies in the outline and is nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Structure {
    Body = 1,
    RightLung = 2,
    LeftLung = 3,
    Airway = 4,
    Bone = 5,
    Fat = 6,
    Lean = 7,
}

impl Structure {
    pub const ALL: [Self; 7] =
        [Self::Body, Self::RightLung, Self::LeftLung, Self::Airway, Self::Bone, Self::Fat, Self::Lean];
}

/// Labels there are, none included.
pub const LABELS: usize = 8;

/// What the pictures say about themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Contrast was given: blood may be as dense as bone, so bone is not told.
    pub contrast: bool,
}

/// One label a voxel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structures {
    /// [`Structure`] as a number, 0 outside of the body; slice by slice, row by row.
    pub labels: Vec<u8>,
    /// Voxels of each label.
    pub voxels: [u64; LABELS],
}

impl Structures {
    /// Millilitres of one structure; of the body everything in its outline.
    pub fn millilitres(&self, structure: Structure, volume: &Volume) -> f64 {
        let geometry = volume.geometry();
        let voxels = match structure {
            Structure::Body => self.voxels[1..].iter().sum(),
            structure => self.voxels[structure as usize],
        };
        #[expect(clippy::cast_precision_loss, reason = "a volume has far fewer than 2^52 voxels")]
        let voxels = voxels as f64;
        voxels * geometry.pixel_area_mm2() * geometry.slice_increment_mm / 1000.0
    }
}

/// Why there are no labels.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StructuresError {
    #[error("the slices are not axial")]
    NotAxial,
    #[error("no body was found in the pictures")]
    NoBody,
    #[error("stopped")]
    Stopped,
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Labels every voxel. `checkpoint` hears the share done between turns, may use the processor there, and may stop the
/// work.
pub fn structures(
    processor: &mut Processor,
    volume: &Volume,
    conditions: Conditions,
    checkpoint: Checkpoint<'_>,
) -> Result<Structures, StructuresError> {
    processor.recovering(|processor| {
        let turns = processor.turns(volume.dimensions())?;
        let mut pause = |processor: &mut Processor, share: f32| match processor
            .lend(|processor| checkpoint(processor, share))?
        {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(StructuresError::Stopped),
        };
        let mut reduction = Reduction::new(volume)?;
        if let Place::Gpu(gpu) = processor.place() {
            gpu::reserve(gpu, volume, &reduction, &turns)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let part = |turn: &Range<u32>| turn.end as f32 / volume.dimensions().slices as f32;
        for turn in &turns {
            match processor.place() {
                Place::Gpu(gpu) => gpu::reduce(gpu, volume, turn, &mut reduction)?,
                Place::Twin(pool) => pool.install(|| cpu::structures::reduce(volume, turn, &mut reduction)),
            }
            pause(processor, 0.3 * part(turn))?;
        }
        let cells = reduction.finish();
        let states = processor.on_cpu(|| state::states(&cells, conditions))?;
        pause(processor, 0.5)?;
        let mut found =
            Structures { labels: Vec::with_capacity(volume.dimensions().len()), voxels: [0; LABELS] };
        for turn in &turns {
            match processor.place() {
                Place::Gpu(gpu) => gpu::classify(gpu, volume, turn, &cells, &states, &mut found)?,
                Place::Twin(pool) => {
                    pool.install(|| cpu::structures::classify(volume, turn, &cells, &states, &mut found));
                }
            }
            pause(processor, 0.5 + 0.5 * part(turn))?;
        }
        Ok(found)
    })
}
