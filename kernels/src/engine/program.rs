//! What an analysis asks of the engine: a list of steps over named buffers.

use std::collections::HashMap;

use super::EngineError;
use crate::table::Kernel;

#[derive(Debug)]
pub(super) struct Dispatch {
    pub(super) kernel: &'static Kernel,
    pub(super) invocations: u32,
}

#[derive(Debug)]
pub(super) enum Step<'a> {
    Upload { buffer: &'static str, bytes: &'a [u8] },
    Clear { buffer: &'static str },
    Dispatch(Dispatch),
    Read { buffer: &'static str, offset: u64, bytes: u64 },
}

/// What the engine shall do, in order; uploads come before everything else whatever their place.
#[derive(Debug, Default)]
pub(crate) struct Program<'a> {
    pub(super) sizes: HashMap<&'static str, u64>,
    pub(super) steps: Vec<Step<'a>>,
    pub(super) read_bytes: u64,
}

impl<'a> Program<'a> {
    /// A buffer with these values.
    pub(crate) fn upload<T: bytemuck::NoUninit>(&mut self, buffer: &'static str, values: &'a [T]) {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        self.room(buffer, (bytes.len() as u64).next_multiple_of(4));
        self.steps.push(Step::Upload { buffer, bytes });
    }

    /// A buffer of so many bytes, a multiple of 4, with whatever is in it.
    pub(crate) fn room(&mut self, buffer: &'static str, bytes: u64) {
        self.sizes.insert(buffer, bytes);
    }

    /// Zeroes.
    pub(crate) fn clear(&mut self, buffer: &'static str) {
        self.steps.push(Step::Clear { buffer });
    }

    /// At least so many invocations of a kernel, after everything recorded so far.
    pub(crate) fn dispatch(&mut self, kernel: &'static Kernel, invocations: u32) {
        self.steps.push(Step::Dispatch(Dispatch { kernel, invocations }));
    }

    /// Brings back a part of a buffer, as it is then. Offset and length are multiples of 4.
    pub(crate) fn read(&mut self, buffer: &'static str, offset: u64, bytes: u64) {
        self.steps.push(Step::Read { buffer, offset, bytes });
        self.read_bytes += bytes;
    }

    pub(super) fn dispatches(&self) -> impl Iterator<Item = &Dispatch> {
        self.steps.iter().filter_map(|step| match step {
            Step::Dispatch(dispatch) => Some(dispatch),
            _ => None,
        })
    }

    /// The mapped staging buffer, cut into the reads.
    pub(super) fn cut(&self, staging: &wgpu::Buffer) -> Result<Vec<Vec<u8>>, EngineError> {
        let view = staging
            .get_mapped_range(..self.read_bytes)
            .map_err(|error| EngineError::Refused(error.to_string()))?;
        let mut rest: &[u8] = &view;
        let mut reads = Vec::new();
        for step in &self.steps {
            if let Step::Read { bytes, .. } = step {
                let length = usize::try_from(*bytes).expect("what was mapped fits into memory");
                let (read, behind) = rest.split_at(length);
                reads.push(read.to_vec());
                rest = behind;
            }
        }
        Ok(reads)
    }
}
