//! A job lends the processor between two of its turns.
//!
//! A picture that follows somebody's hand is drawn there, on the same device, with the same memory. What that may do to
//! the job, and what is done about it:
//!
//! - it needs room, and what is kept on the device goes. The job asks again for what it needs at every turn, or has a
//!   handle of it, which keeps it; afterwards the picture's things go in their turn if the job could lack room for its own.
//! - it loses the device. What the job held is gone: [`EngineError::Replaced`], and `recovery` begins the job again.
//! - it is too large for the device. Why is the picture's to tell; what the job has to tell stays the job's.

use super::{Gpu, Owned, Processor};
use crate::engine::EngineError;

impl Processor {
    /// Lends the processor. Handles of device memory that the job has are good afterwards, unless this is an error.
    pub(crate) fn lend<R>(&mut self, borrower: impl FnOnce(&mut Self) -> R) -> Result<R, EngineError> {
        let (replaced, passed_over) = (self.replaced, self.passed_over.take());
        let job = match &self.place {
            Owned::Gpu(gpu) => Some((gpu.engine.ledger().suspend(), gpu.kept_bytes())),
            Owned::Twin(_) => None,
        };
        let answer = borrower(self);
        self.passed_over = passed_over;
        if self.replaced != replaced {
            return Err(EngineError::Replaced);
        }
        if let (Some((job, kept)), Owned::Gpu(gpu)) = (job, &mut self.place) {
            if job.owed_bytes + gpu.lost_bytes(kept) > gpu.engine.ledger().free_bytes() {
                gpu.evict();
            }
            let owed_bytes = job.owed_bytes + gpu.lost_bytes(kept);
            gpu.engine.ledger().resume(job, owed_bytes);
        }
        Ok(answer)
    }

    /// The device that a job began on.
    pub(crate) fn device(&mut self) -> Result<&mut Gpu, EngineError> {
        match &mut self.place {
            Owned::Gpu(gpu) => Ok(gpu),
            Owned::Twin(_) => Err(EngineError::Replaced),
        }
    }
}

impl Gpu {
    /// What jobs keep: of a volume, of a region, for calcium, of a dynamic series.
    fn kept_bytes(&self) -> [u64; 4] {
        let [volume, region] = self.resident.kept_bytes();
        let calcium = self.calcium.as_ref().map_or(0, crate::calcium::gpu::Workspace::kept_bytes);
        let perfusion = self.perfusion.as_ref().map_or(0, crate::perfusion::gpu::Kept::bytes);
        [volume, region, calcium, perfusion]
    }

    /// Bytes of what was kept that a job may have to take again.
    fn lost_bytes(&self, before: [u64; 4]) -> u64 {
        before.iter().zip(self.kept_bytes()).map(|(before, now)| before.saturating_sub(now)).sum()
    }
}

#[cfg(test)]
mod tests;
