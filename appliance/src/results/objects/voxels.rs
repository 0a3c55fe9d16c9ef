//! The voxels of a perfusion finding as objects need them: each map, and what each voxel is.

use std::collections::BTreeMap;

use super::ObjectError;
use super::subject::Subject;
use crate::store::Store;
use crate::store::perfusion::{Grid, PerfusionMap, PerfusionPart, TissueBit};

pub(super) struct Voxels<'a> {
    pub part: &'a PerfusionPart,
    /// In the order of the finding's maps.
    pub maps: Vec<Vec<f32>>,
    tissue: Vec<u8>,
}

impl<'a> Voxels<'a> {
    /// Reads the files and checks their hashes. `None` where the finding has no maps.
    pub(super) fn read(store: &Store, subject: &Subject<'a>) -> Result<Option<Self>, ObjectError> {
        let finding = subject.finding;
        let Some(part) = &finding.perfusion else { return Ok(None) };
        let read = |map: &PerfusionMap| {
            let bytes = store.part(&finding.study_uid, &finding.id, &map.file)?;
            let values = bytes.chunks_exact(4);
            Ok(values.map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect())
        };
        let maps: Vec<Vec<f32>> = part.maps.iter().map(read).collect::<Result<_, ObjectError>>()?;
        let tissue = store.part(&finding.study_uid, &finding.id, &part.tissue)?;
        let Grid { columns, rows, slices, .. } = part.grid;
        let voxels = columns as usize * rows as usize * slices as usize;
        let whole = maps.iter().all(|map| map.len() == voxels) && tissue.len() == voxels;
        let same = (columns, rows) == (subject.stack.columns.into(), subject.stack.rows.into())
            && slices as usize == subject.stack.frames.len();
        if whole && same { Ok(Some(Self { part, maps, tissue })) } else { Err(ObjectError::NoImages) }
    }

    fn slice_len(&self) -> usize {
        self.part.grid.columns as usize * self.part.grid.rows as usize
    }

    /// The values of one map on one slice.
    pub(super) fn slice(&self, map: usize, slice: u32) -> &[f32] {
        let length = self.slice_len();
        &self.maps[map][slice as usize * length..][..length]
    }

    /// Whether each pixel of a slice is `bit`.
    pub(super) fn mask(&self, bit: TissueBit, slice: u32) -> impl Fn(usize) -> bool + '_ {
        let from = slice as usize * self.slice_len();
        move |pixel| self.tissue[from + pixel] & bit as u8 != 0
    }

    /// Row, first column and length of every run of `bit`, by slice.
    pub(super) fn runs(&self, bit: TissueBit) -> BTreeMap<u32, Vec<[u32; 3]>> {
        let Grid { columns, rows, slices, .. } = self.part.grid;
        let mut found: BTreeMap<u32, Vec<[u32; 3]>> = BTreeMap::new();
        for slice in 0..slices {
            let inside = self.mask(bit, slice);
            for row in 0..rows {
                let mut first = None;
                for column in 0..=columns {
                    let is = column < columns && inside((row * columns + column) as usize);
                    match (first, is) {
                        (None, true) => first = Some(column),
                        (Some(from), false) => {
                            found.entry(slice).or_default().push([row, from, column - from]);
                            first = None;
                        }
                        _ => {}
                    }
                }
            }
        }
        found
    }

    /// The slice with most tissue that blood reaches late; without any, the one with most brain.
    pub(super) fn telling_slice(&self) -> u32 {
        let count = |bit| {
            let all = 0..self.part.grid.slices;
            let counted =
                all.map(|slice| (0..self.slice_len()).filter(|at| self.mask(bit, slice)(*at)).count());
            counted.enumerate().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 0)
        };
        let found = count(TissueBit::Hypoperfused).or_else(|| count(TissueBit::Brain));
        found.and_then(|(slice, _)| u32::try_from(slice).ok()).unwrap_or(0)
    }
}
