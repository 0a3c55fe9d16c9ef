//! The way onto the device: a ring of staging memory, some slots being filled by every core while the device fetches the
//! others. The next slot is being filled before the last is sent, so that no core ever waits for a submission.
//!
//! Measured for 256 MiB: wgpu's own `write_buffer` 58 ms (H200), one thread into wgpu's mapped memory 25 ms (H200),
//! sixteen threads 20 ms (H100), because that memory is the device's own; so ours is the processor's
//! ([`HostMemory`]). The ring is kept and used again because new memory must be zeroed first.

use std::collections::VecDeque;
use std::sync::mpsc;

use rayon::prelude::*;

use super::ledger::{Charge, Ledger};
use super::memory::Buffer;
use super::{EngineError, PATIENCE};
use crate::vulkan::HostMemory;

/// Large enough that a submission costs little beside its copy, small enough that the first and the last, which overlap
/// with nothing, do not count: 256 MiB take 13.9 ms by 8 MiB, 14.8 by 16 and 15.5 by 32 (H100, 16 threads).
const SLOT_BYTES: usize = 8 << 20;
const SLOTS: usize = 4;
/// Slots being filled at once; the others are being fetched.
const FILLED_AT_ONCE: usize = 2;

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

/// A slot on its way: where its bytes belong and how many they are.
struct Filled {
    slot: Slot,
    offset: u64,
    bytes: u64,
}

/// The slots that nobody fills, the one sent first in front; each is made at the first upload that needs it.
#[derive(Debug, Default)]
pub(super) struct Ring {
    slots: VecDeque<Slot>,
    made: usize,
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
        (buffer, offset): (&Buffer, u64),
        rows: Rows<'_>,
    ) -> Result<(), EngineError> {
        let rows_of_slot = SLOT_BYTES / rows.padded_row;
        if rows_of_slot == 0 {
            let (buffer, bytes) = (buffer.label(), rows.padded_row as u64);
            return Err(EngineError::TooLarge { buffer, bytes, limit_bytes: SLOT_BYTES as u64 });
        }
        let sent = self.fill_and_send((device, queue, ledger), (buffer, offset), rows, rows_of_slot);
        if sent.is_err() {
            // Slots that were on their way are lost.
            *self = Self::default();
        }
        sent
    }

    fn fill_and_send(
        &mut self,
        (device, queue, ledger): (&wgpu::Device, &wgpu::Queue, &Ledger),
        (buffer, mut offset): (&Buffer, u64),
        rows: Rows<'_>,
        rows_of_slot: usize,
    ) -> Result<(), EngineError> {
        let (sender, filled) = mpsc::channel();
        rayon::in_place_scope(|scope| {
            let (mut rest, mut being_filled) = (rows, 0);
            loop {
                while being_filled < FILLED_AT_ONCE && !rest.bytes.is_empty() {
                    let (turn, behind) = rest.split(rows_of_slot);
                    let (slot, bytes) = (self.slot(device, ledger)?, turn.device_bytes());
                    let mut filled = Filled { slot, offset, bytes };
                    (rest, offset, being_filled) = (behind, offset + bytes, being_filled + 1);
                    let sender = sender.clone();
                    let fill = move || {
                        turn.write(filled.bytes_mut());
                        // Nobody listens any more where the upload has failed.
                        let _ = sender.send(filled);
                    };
                    // A worker that waited for others of its kind might wait for itself.
                    if rayon::current_thread_index().is_some() { fill() } else { scope.spawn(|_| fill()) }
                }
                if being_filled == 0 {
                    return Ok(());
                }
                let filled = filled.recv().expect("this function holds a sender itself");
                being_filled -= 1;
                self.send(device, queue, buffer, filled);
            }
        })
    }

    fn send(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, buffer: &Buffer, filled: Filled) {
        let Filled { mut slot, offset, bytes } = filled;
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(slot.memory.buffer(), 0, buffer.raw(), offset, bytes);
        slot.submission = Some(queue.submit([encoder.finish()]));
        self.slots.push_back(slot);
    }

    /// A slot that the device does not read any more.
    fn slot(&mut self, device: &wgpu::Device, ledger: &Ledger) -> Result<Slot, EngineError> {
        if self.made < SLOTS {
            let charge = ledger.charge("staging", SLOT_BYTES as u64)?;
            let memory = HostMemory::new(device, SLOT_BYTES).ok_or(EngineError::OutOfMemory)?;
            self.made += 1;
            return Ok(Slot { memory, submission: None, _charge: charge });
        }
        let mut slot = self.slots.pop_front().expect("fewer are being filled than there are");
        if let Some(submission) = slot.submission.take() {
            let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: Some(PATIENCE) };
            device.poll(wait).map_err(|_| EngineError::Hung)?;
        }
        Ok(slot)
    }
}

impl Filled {
    fn bytes_mut(&mut self) -> &mut [u8] {
        let bytes = usize::try_from(self.bytes).expect("a turn fits into its slot");
        &mut self.slot.memory.bytes_mut()[..bytes]
    }
}
