//! What a device's memory can do: the floor under every kernel.

use crate::engine::Program;
use crate::processor::Place;
use crate::{Processor, ProcessorError};

/// Far more than any cache, far less than the budget of an operation.
const COPIED_BYTES: u64 = 256 << 20;

/// Copies of one submission: a device that was idle needs a while to reach its pace.
const COPIES: u32 = 20;
/// The best of a few submissions is what the memory can do.
const SUBMISSIONS: usize = 3;

/// Bytes read plus bytes written in a second of copying on the device; `None` on the twin and on a device without a
/// clock.
pub fn copy_bytes_per_s(processor: &mut Processor) -> Result<Option<f64>, ProcessorError> {
    let Place::Gpu(gpu) = processor.place() else { return Ok(None) };
    gpu.reserve("measuring bandwidth", 2 * COPIED_BYTES)?;
    let [from, to] = [gpu.engine.buffer("copied", COPIED_BYTES)?, gpu.engine.buffer("copy", COPIED_BYTES)?];
    let mut best = None;
    for _ in 0..SUBMISSIONS {
        let mut program = Program::default();
        for _ in 0..COPIES {
            program.copy(&from, 0, &to, 0, COPIED_BYTES);
        }
        let time = gpu.engine.run(&program)?.device_time.map(|time| time.total / COPIES);
        best = best.min(time).or(time);
    }
    #[expect(clippy::cast_precision_loss, reason = "a power of two")]
    let bytes = (2 * COPIED_BYTES) as f64;
    Ok(best.map(|time| bytes / time.as_secs_f64()))
}
