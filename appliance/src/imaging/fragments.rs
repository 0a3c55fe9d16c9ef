//! Which fragments of encapsulated pixel data make which frame (PS3.5 A.4).

use super::image_attributes::ImageAttributes;
use crate::part10::{Elements, ITEM, Malformed, SEQUENCE_END};

/// Fragments of an object: beyond this it was made to exhaust memory (a day of video has 5 million frames).
const FRAGMENTS_MAX: usize = 8 << 20;

/// Place and length of every fragment, and where each frame begins.
#[derive(Debug)]
pub(super) struct Fragments {
    all: Vec<(u64, u32)>,
    /// Index of each frame's first fragment; `None` where nothing tells.
    starts: Option<Vec<usize>>,
}

impl Fragments {
    pub(super) fn of_frame(&self, frame: u32) -> Option<&[(u64, u32)]> {
        let starts = self.starts.as_ref()?;
        let first = *starts.get(frame as usize)?;
        let end = starts.get(frame as usize + 1).copied().unwrap_or(self.all.len());
        self.all.get(first..end)
    }
}

/// Reads from the Basic Offset Table to the sequence delimiter.
pub(super) fn read_fragments(
    elements: &mut Elements,
    attributes: &ImageAttributes,
) -> Result<Fragments, Malformed> {
    let mut basic = Vec::new();
    let (mut all, mut first_item_at) = (Vec::new(), None);
    let mut is_table = true;
    while let Some(item) = elements.next_head()? {
        let (ITEM, Some(length)) = (item.tag, item.length) else {
            match item.tag {
                SEQUENCE_END => break,
                _ => return Err(Malformed::NotAnItem { at: item.value_at }),
            }
        };
        if is_table {
            basic = elements.value(&item)?;
            is_table = false;
            continue;
        }
        if all.len() == FRAGMENTS_MAX {
            return Err(Malformed::TooDeep { at: item.value_at });
        }
        first_item_at.get_or_insert(item.value_at - 8);
        all.push((item.value_at, length));
        elements.skip(length.into())?;
    }
    let offsets = offsets(&basic, attributes);
    let starts = starts(&all, &offsets, first_item_at.unwrap_or(0), attributes.frames as usize);
    Ok(Fragments { all, starts })
}

/// Offsets of frames from the first fragment's item: the extended table (64 bits) where there is one.
fn offsets(basic: &[u8], attributes: &ImageAttributes) -> Vec<u64> {
    let extended = attributes.extended_offsets.chunks_exact(8);
    if extended.len() > 0 {
        return extended.filter_map(|chunk| Some(u64::from_le_bytes(chunk.try_into().ok()?))).collect();
    }
    let basic = basic.chunks_exact(4);
    basic.filter_map(|chunk| Some(u32::from_le_bytes(chunk.try_into().ok()?).into())).collect()
}

fn starts(all: &[(u64, u32)], offsets: &[u64], first_item_at: u64, frames: usize) -> Option<Vec<usize>> {
    if all.is_empty() {
        return None;
    }
    if frames == 1 {
        return Some(vec![0]);
    }
    if all.len() == frames {
        return Some((0..frames).collect());
    }
    if offsets.len() != frames {
        return None;
    }
    let index = |offset: &u64| all.binary_search_by_key(&(first_item_at + offset + 8), |(at, _)| *at).ok();
    let starts: Vec<usize> = offsets.iter().map(index).collect::<Option<_>>()?;
    starts.is_sorted().then_some(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_apart_by_count_or_by_table_or_not_at_all() {
        let all = [(108, 10), (126, 10), (144, 10)];
        assert_eq!(starts(&all, &[], 100, 1), Some(vec![0]));
        assert_eq!(starts(&all, &[], 100, 3), Some(vec![0, 1, 2]));
        assert_eq!(starts(&all, &[0, 36], 100, 2), Some(vec![0, 2]));
        assert_eq!(starts(&all, &[0, 35], 100, 2), None);
        assert_eq!(starts(&all, &[36, 0], 100, 2), None);
        assert_eq!(starts(&all, &[], 100, 2), None);
        assert_eq!(starts(&[], &[], 0, 1), None);
    }
}
