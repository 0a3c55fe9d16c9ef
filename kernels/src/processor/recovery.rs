//! What becomes of a job that the device cannot do.
//!
//! ```text
//! lost or hung --> begun again on a freshly opened device --lost or hung again--> the twin, until the box restarts
//! lost by a picture drawn between two turns --> begun again on what that picture left
//! no room for it, or no such format --> the twin, for this job only; the device stays open for the next
//! ```
//! The one place that decides it: operations hand their errors on and never look for a way out themselves.

use super::{Owned, Processor, ProcessorError};
use crate::calcium::CalciumError;
use crate::engine::EngineError;
use crate::perfusion::PerfusionError;
use crate::rendering::RenderError;
use crate::structures::StructuresError;

/// An operation's error, of which some are the device's.
pub(crate) trait Failure {
    /// What the device said, where it is the device that failed.
    fn of_device(&self) -> Option<&EngineError>;
}

impl Failure for ProcessorError {
    fn of_device(&self) -> Option<&EngineError> {
        match self {
            Self::Engine(error) => Some(error),
            Self::NoGpu(_) => None,
        }
    }
}

impl Failure for CalciumError {
    fn of_device(&self) -> Option<&EngineError> {
        if let Self::Processor(error) = self { error.of_device() } else { None }
    }
}

impl Failure for PerfusionError {
    fn of_device(&self) -> Option<&EngineError> {
        if let Self::Processor(error) = self { error.of_device() } else { None }
    }
}

impl Failure for RenderError {
    fn of_device(&self) -> Option<&EngineError> {
        if let Self::Processor(error) = self { error.of_device() } else { None }
    }
}

impl Failure for StructuresError {
    fn of_device(&self) -> Option<&EngineError> {
        if let Self::Engine(error) = self { Some(error) } else { None }
    }
}

impl Processor {
    /// Runs a job. One that met a lost or hung device is begun again, first on a freshly opened device, then on the
    /// twin; one that the device has no room for is begun again on the twin ([`Processor::take_passed_over`]).
    pub(crate) fn recovering<T, E: Failure>(
        &mut self,
        mut job: impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        for recover in [Self::open_again, Self::fall_back] {
            let result = job(self);
            let Err(error) = &result else { return result };
            if let Some(fault) = self.fault() {
                recover(self, &fault);
            } else if matches!(error.of_device(), Some(EngineError::Replaced)) {
                // What the job held is gone with the device; the picture has opened another, or gone to the twin.
            } else if let Some(why) = error.of_device().filter(|why| why.is_the_jobs_size()).cloned() {
                return self.on_twin_once(&why, job);
            } else {
                return result;
            }
        }
        job(self)
    }

    /// The device waits meanwhile, with what it keeps.
    fn on_twin_once<T, E>(
        &mut self,
        why: &EngineError,
        mut job: impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let pool = self.spare.take().unwrap_or_else(super::pool);
        let device = std::mem::replace(&mut self.place, Owned::Twin(pool));
        let result = job(self);
        if let Owned::Twin(pool) = std::mem::replace(&mut self.place, device) {
            self.spare = Some(pool);
        }
        self.passed_over = Some(format!("{why}; the CPU twin did this in place of {}", self.name));
        result
    }

    /// Takes the device away, as a driver's reset does.
    #[cfg(test)]
    pub(crate) fn lose_device(&self) {
        if let Owned::Gpu(gpu) = &self.place {
            gpu.engine.lose();
        }
    }

    fn fault(&self) -> Option<EngineError> {
        let Owned::Gpu(gpu) = &self.place else { return None };
        gpu.engine.fault()
    }

    fn open_again(&mut self, fault: &EngineError) {
        let (turn_voxels, replaced) = (self.turn_voxels, self.replaced + 1);
        // The lost device goes first: two at once may not fit.
        *self = Self::twin(self.wish, String::new());
        // Nothing saved: what the driver kept may be what it fell over.
        match Self::gpu(self.wish, &[]) {
            Ok(again) => {
                let note = format!("{fault}; {} was opened again", again.name);
                *self = Self { degraded: Some(note), turn_voxels, replaced, ..again };
            }
            Err(why) => {
                (self.turn_voxels, self.replaced) = (turn_voxels, replaced);
                self.give_up(format!("{fault}, and no device opened after it: {why}"));
            }
        }
    }

    fn fall_back(&mut self, fault: &EngineError) {
        let (turn_voxels, replaced) = (self.turn_voxels, self.replaced + 1);
        *self = Self { turn_voxels, replaced, ..Self::twin(self.wish, String::new()) };
        self.give_up(format!("the GPU failed twice in one job: {fault}"));
    }

    fn give_up(&mut self, why: String) {
        self.degraded = Some(format!("{why}; kernels run on the CPU twin until the box is started again"));
        self.reason = why;
    }
}
