//! A timed stack decoded: Hounsfield units over time for the perfusion kernels.

use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};
use sidelight_kernels::Dimensions;
use sidelight_kernels::perfusion::{Dynamic, SliceSeries};

use super::frames::Decoder;
use super::stack::{StackError, VOXELS_MAX, kernel_geometry};
use super::time_points::{TimedPosition, TimedStack};

/// Decodes every frame. Peak memory is the series itself: one position at a time is decoded and appended.
pub fn dynamic(stack: &TimedStack) -> Result<Dynamic, StackError> {
    let slices = u32::try_from(stack.positions.len()).map_err(|_| StackError::TooLarge)?;
    let dimensions = Dimensions { columns: stack.columns.into(), rows: stack.rows.into(), slices };
    let frames: usize = stack.positions.iter().map(|position| position.frames.len()).sum();
    if dimensions.slice_len() as u64 * frames as u64 > VOXELS_MAX {
        return Err(StackError::TooLarge);
    }
    let all = stack.positions.iter().flat_map(|position| &position.frames);
    let decoder = Decoder::of(all, stack.meaning, dimensions.slice_len())?;
    let decode = |position: &TimedPosition| {
        let frames = position.frames.par_iter().map(|frame| decoder.frame(frame));
        let hounsfield = frames.collect::<Result<Vec<_>, _>>()?.concat();
        Ok::<_, StackError>(SliceSeries { times_s: position.times_s.clone(), hounsfield })
    };
    let series = stack.positions.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    let geometry = kernel_geometry(&stack.geometry, stack.pixel_spacing_mm)?;
    Ok(Dynamic::new(dimensions, geometry, series)?)
}
