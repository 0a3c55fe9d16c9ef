//! What an analysis looked at, as one hash: the values, their order, and where they stand in millimetres.
//!
//! Pieces are hashed side by side and their hashes hashed: a volume of 512^3 takes a fraction of a second. Nothing of
//! the patient goes in but pixels and geometry.

use bytemuck::NoUninit;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use sidelight_kernels::perfusion::Dynamic;
use sidelight_kernels::{Geometry, Volume};

use crate::store::hex;
use crate::store::runs::RunInput;

/// Large enough that a thread is worth waking, small enough that all of them have work.
const PIECE_BYTES: usize = 1 << 20;

/// A hash in the making. The first word says what is hashed and in which layout.
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    pub(super) fn of(layout: &str) -> Self {
        Self(Sha256::new()).text(layout)
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
        self
    }

    pub(super) fn numbers(mut self, numbers: &[f64]) -> Self {
        self.0.update((numbers.len() as u64).to_le_bytes());
        for number in numbers {
            self.0.update(number.to_le_bytes());
        }
        self
    }

    /// Values in memory order; both processors that the box is built for are little-endian.
    pub(super) fn values<T: NoUninit + Sync>(mut self, values: &[T]) -> Self {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let pieces: Vec<_> = bytes.par_chunks(PIECE_BYTES).map(Sha256::digest).collect();
        self.0.update((bytes.len() as u64).to_le_bytes());
        pieces.iter().for_each(|piece| self.0.update(piece));
        self
    }

    fn geometry(self, geometry: &Geometry) -> Self {
        let spacings = [geometry.column_spacing_mm, geometry.row_spacing_mm, geometry.slice_increment_mm];
        self.numbers(&spacings).numbers(geometry.patient_mm_from_voxel.as_flattened())
    }

    pub(super) fn hexadecimal(self) -> String {
        hex(&self.0.finalize())
    }

    pub(super) fn input(self, what: String) -> RunInput {
        RunInput { sha256: self.hexadecimal(), what }
    }
}

pub(super) fn of_volume(volume: &Volume) -> RunInput {
    let size = volume.dimensions();
    let sides = [size.columns, size.rows, size.slices];
    Fingerprint::of("volume, floored Hounsfield units")
        .numbers(&sides.map(f64::from))
        .geometry(volume.geometry())
        .values(volume.hounsfield())
        .input(format!("{} x {} x {} voxels", sides[0], sides[1], sides[2]))
}

pub(super) fn of_dynamic(dynamic: &Dynamic) -> RunInput {
    let size = dynamic.dimensions();
    let sides = [size.columns, size.rows, size.slices];
    let start = Fingerprint::of("dynamic series, floored Hounsfield units")
        .numbers(&sides.map(f64::from))
        .geometry(dynamic.geometry());
    let slices = dynamic.slices().iter();
    slices.fold(start, |hash, slice| hash.numbers(&slice.times_s).values(&slice.hounsfield)).input(format!(
        "{} x {} x {} voxels, {} passes",
        sides[0],
        sides[1],
        sides[2],
        dynamic.passes()
    ))
}

/// Several inputs as one.
pub(super) fn of_all(inputs: &[RunInput]) -> RunInput {
    let hash = inputs.iter().fold(Fingerprint::of("several"), |hash, input| hash.text(&input.sha256));
    let first = inputs.first().map_or("nothing", |input| &input.what);
    hash.input(format!("{} x {first}", inputs.len()))
}

#[cfg(test)]
mod tests {
    use sidelight_kernels::Dimensions;

    use super::*;

    fn volume(values: Vec<i16>, change: impl FnOnce(&mut Geometry)) -> Volume {
        let mut geometry = Geometry {
            column_spacing_mm: 0.5,
            row_spacing_mm: 0.5,
            slice_increment_mm: 3.0,
            patient_mm_from_voxel: [[0.5, 0.0, 0.0, 1.0], [0.0, 0.5, 0.0, 2.0], [0.0, 0.0, 3.0, 3.0]],
        };
        change(&mut geometry);
        Volume::new(Dimensions { columns: 2, rows: 3, slices: 1 }, geometry, values).unwrap()
    }

    #[test]
    fn the_same_voxels_in_the_same_place_have_one_hash_and_all_others_another() {
        let values: Vec<i16> = vec![1, 2, 3, 4, 5, 6];
        let first = of_volume(&volume(values.clone(), |_| ()));
        assert_eq!(first, of_volume(&volume(values.clone(), |_| ())));
        assert_eq!(first.what, "2 x 3 x 1 voxels");
        let turned = Volume::new(
            Dimensions { columns: 3, rows: 2, slices: 1 },
            *volume(values.clone(), |_| ()).geometry(),
            values.clone(),
        );
        for other in [
            volume(vec![1, 2, 3, 4, 5, 7], |_| ()),
            volume(vec![2, 1, 3, 4, 5, 6], |_| ()),
            volume(values.clone(), |geometry| geometry.slice_increment_mm = 2.5),
            volume(values, |geometry| geometry.patient_mm_from_voxel[2][3] = 4.0),
            turned.unwrap(),
        ] {
            assert_ne!(first.sha256, of_volume(&other).sha256, "{other:?}");
        }
    }

    #[test]
    fn what_is_longer_than_a_piece_is_hashed_to_its_end() {
        let mut values = vec![0_i16; PIECE_BYTES + 3];
        let first = Fingerprint::of("x").values(&values).hexadecimal();
        *values.last_mut().unwrap() = 1;
        assert_ne!(first, Fingerprint::of("x").values(&values).hexadecimal());
        assert_ne!(first, Fingerprint::of("x").values(&values[1..]).hexadecimal());
    }
}
