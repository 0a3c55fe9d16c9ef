//! Twin of the `calcium_*` kernels: runs of each row, joined by union-find, one slice per task.

use rayon::prelude::*;

use crate::calcium::{Component, Criteria, Found, Turn};

/// Components of the turn, ordered.
pub(crate) fn components(turn: &Turn<'_>, criteria: Criteria) -> Found {
    let of_slices: Vec<Found> =
        turn.slices.clone().into_par_iter().map(|slice| of_slice(turn, slice, criteria)).collect();
    let mut found = Found::default();
    for of_slice in of_slices {
        found.append(of_slice);
    }
    found
}

fn of_slice(turn: &Turn<'_>, slice: u32, criteria: Criteria) -> Found {
    let rows = turn.volume.slice(slice).chunks_exact(turn.volume.dimensions().columns as usize);
    let region_rows = turn.region.slice(slice).chunks_exact(turn.region.words_per_row() as usize);
    let mut labelling = Labelling::default();
    for (row, region_row) in rows.zip(region_rows) {
        labelling.add_row(row, region_row, criteria.threshold_hu);
    }
    let mut components = labelling.components(slice);
    let all = components.len();
    components.retain(|component| component.pixels >= criteria.minimum_pixels);
    let fragments = index_u32(all - components.len());
    Found { components, fragments }
}

/// A run of foreground pixels: columns `first..end` of a row.
#[derive(Clone, Copy)]
struct Run {
    row: u32,
    first: u32,
    end: u32,
    peak_hu: i16,
    hounsfield_sum: i64,
}

/// Runs of one slice in raster order, and a forest over them in which a parent never comes after its child.
#[derive(Default)]
struct Labelling {
    runs: Vec<Run>,
    parents: Vec<u32>,
    /// Where the runs of the last row begin.
    last_row: usize,
    rows: u32,
}

impl Labelling {
    fn add_row(&mut self, hounsfield: &[i16], region_row: &[u32], threshold_hu: i16) {
        let above = self.last_row..self.runs.len();
        self.last_row = self.runs.len();
        let mut word_first = 0_u32;
        for (pixels, &region_word) in hounsfield.chunks(32).zip(region_row) {
            let mut mask = if region_word == 0 { 0 } else { foreground(pixels, threshold_hu) & region_word };
            while mask != 0 {
                let first = mask.trailing_zeros();
                let length = (mask >> first).trailing_ones();
                self.add_piece(word_first + first, &pixels[first as usize..][..length as usize]);
                mask &= u32::MAX.checked_shl(first + length).unwrap_or(0);
            }
            word_first += 32;
        }
        self.join(above);
        self.rows += 1;
    }

    /// Pixels of one word; they prolong the last run where that ended just before.
    fn add_piece(&mut self, first: u32, hounsfield: &[i16]) {
        let peak_hu = hounsfield.iter().copied().max().expect("a piece has at least one pixel");
        let hounsfield_sum = hounsfield.iter().map(|&hu| i64::from(hu)).sum();
        let end = first + u32::try_from(hounsfield.len()).expect("a word has 32 pixels");
        let continues =
            self.runs.len() > self.last_row && self.runs.last().is_some_and(|run| run.end == first);
        if let Some(run) = self.runs.last_mut().filter(|_| continues) {
            run.end = end;
            run.peak_hu = run.peak_hu.max(peak_hu);
            run.hounsfield_sum += hounsfield_sum;
        } else {
            self.parents.push(index_u32(self.runs.len()));
            self.runs.push(Run { row: self.rows, first, end, peak_hu, hounsfield_sum });
        }
    }

    /// Joins each run of the last row with those of the row above that it touches, corners included.
    fn join(&mut self, mut above: std::ops::Range<usize>) {
        for below in self.last_row..self.runs.len() {
            let Run { first, end, .. } = self.runs[below];
            while above.start < above.end && self.runs[above.start].end < first {
                above.start += 1;
            }
            let mut other = above.start;
            while other < above.end && self.runs[other].first <= end {
                self.union(index_u32(other), index_u32(below));
                other += 1;
            }
        }
    }

    fn find(&mut self, mut run: u32) -> u32 {
        while self.parents[run as usize] != run {
            let grandparent = self.parents[self.parents[run as usize] as usize];
            self.parents[run as usize] = grandparent;
            run = grandparent;
        }
        run
    }

    fn union(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }

    /// The root of a component is its first run, so components come out in raster order.
    fn components(mut self, slice: u32) -> Vec<Component> {
        let mut components: Vec<Component> = Vec::new();
        let mut component_of_run = vec![0_usize; self.runs.len()];
        for index in 0..self.runs.len() {
            let run = self.runs[index];
            let root = self.find(index_u32(index)) as usize;
            if root == index {
                component_of_run[index] = components.len();
                components.push(Component {
                    slice,
                    row: run.row,
                    column: run.first,
                    pixels: 0,
                    peak_hu: i16::MIN,
                    hounsfield_sum: 0,
                });
            }
            let component = &mut components[component_of_run[root]];
            component.pixels += run.end - run.first;
            component.peak_hu = component.peak_hu.max(run.peak_hu);
            component.hounsfield_sum += run.hounsfield_sum;
        }
        components
    }
}

/// Bit `i` says whether pixel `i` of at most 32 is at or over the threshold.
pub(crate) fn foreground(pixels: &[i16], threshold_hu: i16) -> u32 {
    // Whole words, nearly all there are: compared side by side into bytes of 0 or 1, and eight bytes packed by one
    // multiplication, whose top byte is their sum with each at a bit of its own.
    const PACK: u64 = 0x0102_0408_1020_4080;
    let Ok(pixels) = <&[i16; 32]>::try_from(pixels) else {
        return pixels.iter().rev().fold(0, |mask, &hu| mask << 1 | u32::from(hu >= threshold_hu));
    };
    let over = pixels.map(|hu| u8::from(hu >= threshold_hu));
    let (eights, _) = over.as_chunks::<8>();
    eights.iter().rev().fold(0, |mask, eight| {
        let packed = u64::from_le_bytes(*eight).wrapping_mul(PACK) >> 56;
        mask << 8 | u32::try_from(packed).expect("eight bits are left")
    })
}

fn index_u32(run: usize) -> u32 {
    u32::try_from(run).expect("a slice has at most 2^24 pixels")
}

#[cfg(test)]
mod tests {
    use super::foreground;

    #[test]
    fn every_pixel_of_a_word_has_its_bit_however_long_the_word() {
        let mut noise = 1_u32;
        for length in (1..=32).chain([32; 40]) {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) ^ noise >> 7;
            let pixels: Vec<i16> =
                (0..length).map(|bit| if noise >> bit & 1 == 1 { 130 } else { 129 }).collect();
            assert_eq!(foreground(&pixels, 130), noise & (u32::MAX >> (32 - length)), "{length} pixels");
        }
        assert_eq!(foreground(&[i16::MIN; 32], i16::MIN), u32::MAX);
        assert_eq!(foreground(&[i16::MAX - 1; 32], i16::MAX), 0);
    }
}
