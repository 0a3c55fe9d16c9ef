//! The way onto the device: two mapped buffers, one being filled by every core while the device copies the other.
//!
//! Measured on an H200, 256 MiB: wgpu's own `write_buffer` 58 ms, one thread into mapped memory 25 ms, the device's
//! copy 0.8 ms. So filling is what costs; the ring is kept and used again because new memory must be zeroed first.

use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::ledger::{Charge, Ledger};
use super::memory::Buffer;
use super::{EngineError, PATIENCE};

/// Large enough that a turn of the ring costs little beside its filling, small beside the 2 GiB of an operation.
const SLOT_BYTES: u64 = 32 << 20;

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
    fn write(&self, mut to: wgpu::WriteOnly<'_, [u8]>) {
        let (pieces, rest) = to.slice(..).into_chunks::<PIECE_BYTES>();
        let pieces: Vec<_> = pieces.into_iter().collect();
        let behind = pieces.len() * PIECE_BYTES;
        pieces.into_par_iter().enumerate().for_each(|(index, piece)| {
            self.write_piece(index * PIECE_BYTES, wgpu::WriteOnly::<[u8]>::from(piece));
        });
        self.write_piece(behind, rest);
    }

    /// What belongs at `from..` of the padded rows.
    fn write_piece(&self, from: usize, mut to: wgpu::WriteOnly<'_, [u8]>) {
        let mut at = 0;
        while at < to.len() {
            let (row, within) = ((from + at) / self.padded_row, (from + at) % self.padded_row);
            let source = self.bytes.get(row * self.row + within..).unwrap_or_default();
            let length = self.row.saturating_sub(within).min(source.len()).min(to.len() - at);
            to.slice(at..at + length).copy_from_slice(&source[..length]);
            at += self.padded_row - within;
        }
    }
}

#[derive(Debug)]
struct Slot {
    raw: wgpu::Buffer,
    /// Set when the device has done with it and it is mapped again.
    mapped: Arc<OnceLock<Result<(), wgpu::BufferAsyncError>>>,
    /// What it waits for.
    submission: Option<wgpu::SubmissionIndex>,
    _charge: Charge,
}

/// Two slots, made at the first upload that needs them.
#[derive(Debug, Default)]
pub(super) struct Ring {
    slots: Vec<Slot>,
    next: usize,
}

impl Ring {
    /// What the ring takes when it is complete.
    pub(super) const BYTES: u64 = 2 * SLOT_BYTES;

    /// The copies are submitted when this returns; what is submitted later comes after them.
    pub(super) fn upload(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        ledger: &Ledger,
        (buffer, mut offset): (&Buffer, u64),
        rows: Rows<'_>,
    ) -> Result<(), EngineError> {
        let slot_bytes = usize::try_from(SLOT_BYTES).expect("a slot fits into memory");
        let rows_of_slot = slot_bytes / rows.padded_row;
        if rows_of_slot == 0 {
            let (buffer, bytes) = (buffer.label(), rows.padded_row as u64);
            return Err(EngineError::TooLarge { buffer, bytes, limit_bytes: SLOT_BYTES });
        }
        let (mut turn, mut rest) = rows.split(rows_of_slot);
        while !turn.bytes.is_empty() {
            let bytes = turn.device_bytes();
            let slot = self.slot(device, ledger)?;
            slot.fill(device, bytes, &turn)?;
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(&slot.raw, 0, buffer.raw(), offset, bytes);
            slot.submission = Some(queue.submit([encoder.finish()]));
            slot.map();
            offset += bytes;
            (turn, rest) = rest.split(rows_of_slot);
        }
        Ok(())
    }

    fn slot(&mut self, device: &wgpu::Device, ledger: &Ledger) -> Result<&mut Slot, EngineError> {
        let index = self.next;
        self.next = (index + 1) % 2;
        if self.slots.len() == index {
            self.slots.push(Slot {
                _charge: ledger.charge("staging", SLOT_BYTES)?,
                raw: device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("staging"),
                    size: SLOT_BYTES,
                    usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                    mapped_at_creation: true,
                }),
                mapped: Arc::new(OnceLock::from(Ok(()))),
                submission: None,
            });
        }
        Ok(&mut self.slots[index])
    }
}

impl Slot {
    /// Waits for the device to be done with the last contents, and writes new ones.
    fn fill(&mut self, device: &wgpu::Device, bytes: u64, rows: &Rows<'_>) -> Result<(), EngineError> {
        if let Some(submission) = self.submission.take() {
            let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: Some(PATIENCE) };
            device.poll(wait).map_err(|_| EngineError::Hung)?;
        }
        if !matches!(self.mapped.get(), Some(Ok(()))) {
            return Err(EngineError::Refused("the staging memory could not be mapped".to_owned()));
        }
        let refused = |error: wgpu::MapRangeError| EngineError::Refused(error.to_string());
        let mut view = self.raw.get_mapped_range_mut(..bytes).map_err(refused)?;
        rows.write(view.slice(..));
        drop(view);
        self.raw.unmap();
        Ok(())
    }

    fn map(&mut self) {
        self.mapped = Arc::new(OnceLock::new());
        let answer = Arc::clone(&self.mapped);
        self.raw.map_async(wgpu::MapMode::Write, .., move |result| {
            // The only one who sets it.
            let _ = answer.set(result);
        });
    }
}
