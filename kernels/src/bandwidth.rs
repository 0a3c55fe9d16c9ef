//! What a device's memory can do: the floor under every kernel.
//!
//! Measured with a kernel, not with the driver's own copy: that may be a copying engine's, which is far slower than the
//! memory (842 GB/s of about 3000 on an H100).

use std::time::{Duration, Instant};

use rayon::ThreadPool;

use crate::cpu::copying;
use crate::engine::Program;
use crate::processor::{Gpu, Place};
use crate::{Processor, ProcessorError, table};

/// Ten times any cache, and twice as much still is below the budget of an operation.
const COPIED_BYTES_MAX: u64 = 512 << 20;

/// Copies of one submission: a device that was idle needs a while to reach its pace.
const COPIES: u32 = 10;
/// The best of a few submissions is what the memory can do.
const SUBMISSIONS: usize = 3;

/// Words that the twin copies: more than the caches of a processor hold.
const TWIN_WORDS: usize = (128 << 20) / size_of::<u64>();

/// Bytes read plus bytes written in a second of copying; `None` on a device without a clock.
pub fn copy_bytes_per_s(processor: &mut Processor) -> Result<Option<f64>, ProcessorError> {
    match processor.place() {
        Place::Gpu(gpu) => on_gpu(gpu),
        Place::Twin(pool) => Ok(Some(on_twin(pool))),
    }
}

fn on_gpu(gpu: &mut Gpu) -> Result<Option<f64>, ProcessorError> {
    let copied_bytes = COPIED_BYTES_MAX.min(gpu.engine.binding_limit_bytes());
    gpu.reserve("measuring bandwidth", 2 * copied_bytes)?;
    let [original, copied] =
        [gpu.engine.buffer("original", copied_bytes)?, gpu.engine.buffer("copied", copied_bytes)?];
    let quads = u32::try_from(copied_bytes / 16).expect("at most 2^25");
    let mut best = None;
    for _ in 0..SUBMISSIONS {
        let mut program = Program::default();
        for _ in 0..COPIES {
            program.dispatch(&table::COPYING, [original.whole(), copied.whole()], quads);
        }
        let time = gpu.engine.run(&program)?.device_time.map(|time| time.total / COPIES);
        best = best.min(time).or(time);
    }
    Ok(best.map(|time| rate(copied_bytes, time)))
}

#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn on_twin(pool: &ThreadPool) -> f64 {
    let original = vec![1; TWIN_WORDS];
    let mut copied = vec![0; TWIN_WORDS];
    let mut best = Duration::MAX;
    for _ in 0..SUBMISSIONS {
        let started = Instant::now();
        pool.install(|| copying::copy(&original, &mut copied));
        best = best.min(started.elapsed());
    }
    rate(size_of_val(&*copied) as u64, best)
}

/// Each byte is read once and written once.
fn rate(copied_bytes: u64, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far fewer bytes than a number has digits for")]
    let bytes = (2 * copied_bytes) as f64;
    bytes / time.as_secs_f64()
}
