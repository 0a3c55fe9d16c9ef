//! The way onto the device: a ring of staging memory, one slot being filled by every core while the device fetches the
//! others.
//!
//! Measured for 256 MiB: wgpu's own `write_buffer` 58 ms (H200), one thread into wgpu's mapped memory 25 ms (H200),
//! sixteen threads 20 ms (H100), because that memory is the device's own; so ours is the processor's
//! ([`HostMemory`]). The ring is kept and used again because new memory must be zeroed first.

use rayon::prelude::*;

use super::ledger::{Charge, Ledger};
use super::memory::Buffer;
use super::{EngineError, PATIENCE};
use crate::vulkan::HostMemory;

/// Large enough that a submission costs little beside its copy, small enough that the first and the last, which overlap
/// with nothing, do not count.
const SLOT_BYTES: usize = 16 << 20;
const SLOTS: usize = 4;

/// One task of the filling: what a core copies in about 10 microseconds.
const PIECE_BYTES: usize = 128 << 10;

/// Values whose rows may lie farther apart on the device than here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    bytes: &'a [u8],
    row: usize,
    padded_row: usize,
}

impl<'a> Rows<'a> {
    /// One after the other.
    pub(crate) fn dense<T: bytemuck::NoUninit>(values: &'a [T]) -> Self {
        Self { bytes: bytemuck::cast_slice(values), row: PIECE_BYTES, padded_row: PIECE_BYTES }
    }

    /// Rows of so many values that begin `padded_row_bytes`, a multiple of 4, apart. What lies between is anything.
    pub(crate) fn padded<T: bytemuck::NoUninit>(
        values: &'a [T],
        row: usize,
        padded_row_bytes: usize,
    ) -> Self {
        let row = row * size_of::<T>();
        assert!(row <= padded_row_bytes && padded_row_bytes.is_multiple_of(4), "a padded row holds its row");
        if row == padded_row_bytes {
            return Self::dense(values);
        }
        Self { bytes: bytemuck::cast_slice(values), row, padded_row: padded_row_bytes }
    }

    pub(super) fn is_dense(&self) -> bool {
        self.row == self.padded_row
    }

    /// By the driver's own copy. The last word may hold bytes of nothing.
    pub(super) fn write_small(&self, queue: &wgpu::Queue, buffer: &Buffer, offset: u64) {
        let (words, rest) = self.bytes.split_at(self.bytes.len() & !3);
        queue.write_buffer(buffer.raw(), offset, words);
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            queue.write_buffer(buffer.raw(), offset + words.len() as u64, &last);
        }
    }

    /// The first so many rows, and the others.
    fn split(self, rows: usize) -> (Self, Self) {
        let (first, rest) = self.bytes.split_at((rows * self.row).min(self.bytes.len()));
        (Self { bytes: first, ..self }, Self { bytes: rest, ..self })
    }

    /// Bytes on the device, in whole words.
    pub(crate) fn device_bytes(&self) -> u64 {
        let (whole, rest) = (self.bytes.len() / self.row, self.bytes.len() % self.row);
        let last = if self.is_dense() || rest == 0 { rest } else { self.padded_row };
        (whole * self.padded_row + last).next_multiple_of(4) as u64
    }

    /// Writes them, by every core.
    fn write(&self, to: &mut [u8]) {
        to.par_chunks_mut(PIECE_BYTES)
            .enumerate()
            .for_each(|(index, piece)| self.write_piece(index * PIECE_BYTES, piece));
    }

    /// What belongs at `from..` of the padded rows.
    fn write_piece(&self, from: usize, to: &mut [u8]) {
        let mut at = 0;
        while at < to.len() {
            let (row, within) = ((from + at) / self.padded_row, (from + at) % self.padded_row);
            let source = self.bytes.get(row * self.row + within..).unwrap_or_default();
            let length = self.row.saturating_sub(within).min(source.len()).min(to.len() - at);
            to[at..at + length].copy_from_slice(&source[..length]);
            at += self.padded_row - within;
        }
    }
}

#[derive(Debug)]
struct Slot {
    memory: HostMemory,
    /// The copy that still reads it.
    submission: Option<wgpu::SubmissionIndex>,
    _charge: Charge,
}

/// The slots, each made at the first upload that needs it.
#[derive(Debug, Default)]
pub(super) struct Ring {
    slots: Vec<Slot>,
    next: usize,
}

impl Ring {
    /// What the ring takes when it is complete.
    pub(super) const BYTES: u64 = (SLOTS * SLOT_BYTES) as u64;

    /// The copies are submitted when this returns; what is submitted later comes after them.
    pub(super) fn upload(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        ledger: &Ledger,
        (buffer, mut offset): (&Buffer, u64),
        rows: Rows<'_>,
    ) -> Result<(), EngineError> {
        let rows_of_slot = SLOT_BYTES / rows.padded_row;
        if rows_of_slot == 0 {
            let (buffer, bytes) = (buffer.label(), rows.padded_row as u64);
            return Err(EngineError::TooLarge { buffer, bytes, limit_bytes: SLOT_BYTES as u64 });
        }
        let (mut turn, mut rest) = rows.split(rows_of_slot);
        while !turn.bytes.is_empty() {
            let slot = self.slot(device, ledger)?;
            if let Some(submission) = slot.submission.take() {
                let wait =
                    wgpu::PollType::Wait { submission_index: Some(submission), timeout: Some(PATIENCE) };
                device.poll(wait).map_err(|_| EngineError::Hung)?;
            }
            let bytes = turn.device_bytes();
            let in_memory = usize::try_from(bytes).expect("a turn fits into its slot");
            turn.write(&mut slot.memory.bytes_mut()[..in_memory]);
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(slot.memory.buffer(), 0, buffer.raw(), offset, bytes);
            slot.submission = Some(queue.submit([encoder.finish()]));
            offset += bytes;
            (turn, rest) = rest.split(rows_of_slot);
        }
        Ok(())
    }

    fn slot(&mut self, device: &wgpu::Device, ledger: &Ledger) -> Result<&mut Slot, EngineError> {
        let index = self.next;
        self.next = (index + 1) % SLOTS;
        if self.slots.len() == index {
            let charge = ledger.charge("staging", SLOT_BYTES as u64)?;
            let memory = HostMemory::new(device, SLOT_BYTES).ok_or(EngineError::OutOfMemory)?;
            self.slots.push(Slot { memory, submission: None, _charge: charge });
        }
        Ok(&mut self.slots[index])
    }
}
