//! Twin of the `copying` kernel: the same copy, by every core.

use rayon::prelude::*;

/// Words of one task: far more than starting it costs, far fewer than a core's share.
const PIECE: usize = 1 << 16;

/// Copies between slices of one length.
pub(crate) fn copy(original: &[u64], copied: &mut [u64]) {
    assert_eq!(original.len(), copied.len(), "a copy is as long as its original");
    let pieces = copied.par_chunks_mut(PIECE).zip(original.par_chunks(PIECE));
    pieces.for_each(|(copied, original)| copied.copy_from_slice(original));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_whole() {
        let original: Vec<u64> = (1..=2 * PIECE as u64 + 7).collect();
        let mut copied = vec![0; original.len()];
        copy(&original, &mut copied);
        assert_eq!(copied, original);
    }
}
