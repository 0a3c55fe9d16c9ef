//! Numbers that vary with a seed and with nothing else: the same patient on every machine.

/// SplitMix64 (Steele, Lea and Flood 2014): 64 bits of state, every seed gives a full-period sequence.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Uniform in `0..bound`; the bias of the remainder is below 2^-32 for the small bounds used here.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("a remainder is smaller than its divisor")
    }

    /// Uniform between `low` and `high`, in steps fine enough for millimetres.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (f64::from((self.next() >> 32) as u32) / f64::from(u32::MAX))
    }

    /// Fisher and Yates.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// A valid UID under 2.25 (PS3.5 B.2: the decimal form of a 128-bit number, no leading zero).
    pub(super) fn uid(&mut self) -> String {
        let value = (u128::from(self.next() | 1) << 64) | u128::from(self.next());
        format!("2.25.{value}")
    }
}

/// Side of the noise tile; a power of two so that wrapping is a mask.
const TILE: usize = 256;

/// Picture noise with the grain of a soft-tissue kernel, bounded: no voxel ever moves by more than
/// [`Grain::BOUND_HU`], so soft tissue stays far below every threshold and the truth stays exact.
#[derive(Debug)]
pub(super) struct Grain(Vec<i8>);

impl Grain {
    pub(super) const BOUND_HU: i16 = 30;

    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x6772_6169_6E00_0000);
        let white: Vec<i32> = (0..TILE * TILE).map(|_| sum_of_bytes(random.next())).collect();
        let at = |x: usize, y: usize| white[(y % TILE) * TILE + x % TILE];
        let mut tile = Vec::with_capacity(TILE * TILE);
        for y in TILE..2 * TILE {
            for x in TILE..2 * TILE {
                let cross = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
                let hu = (2 * at(x, y) + cross) / 45;
                let bound = i32::from(Self::BOUND_HU);
                tile.push(i8::try_from(hu.clamp(-bound, bound)).expect("the bound fits"));
            }
        }
        Self(tile)
    }

    /// Noise of one voxel; each slice sees the tile somewhere else.
    pub(super) fn at(&self, column: usize, row: usize, slice: usize) -> i16 {
        let x = (column + slice * 97) % TILE;
        let y = (row + slice * 61) % TILE;
        i16::from(self.0[y * TILE + x])
    }
}

/// The sum of four bytes around zero: close to a normal distribution, standard deviation 148.
fn sum_of_bytes(bits: u64) -> i32 {
    let [a, b, c, d, ..] = bits.to_le_bytes();
    i32::from(a) + i32::from(b) + i32::from(c) + i32::from(d) - 510
}

#[cfg(test)]
mod tests {
    use super::{Grain, Random};

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_seed_gives_others() {
        let draw =
            |seed| (0..8).map(|_| 0).scan(Random::new(seed), |r, _: i32| Some(r.next())).collect::<Vec<_>>();
        assert_eq!(draw(7), draw(7), "same seed");
        assert_ne!(draw(7), draw(8), "other seed");
    }

    #[test]
    fn uids_are_valid_and_short_enough() {
        let mut random = Random::new(1);
        for _ in 0..1000 {
            let uid = random.uid();
            assert!(uid.len() <= 64, "{uid} is longer than 64 characters");
            assert!(!uid["2.25.".len()..].starts_with('0'), "{uid} has a leading zero");
        }
    }

    #[test]
    fn the_grain_is_visible_and_bounded() {
        let grain = Grain::new(3);
        let values: Vec<i16> =
            (0..200).flat_map(|y| (0..200).map(move |x| (x, y))).map(|(x, y)| grain.at(x, y, 5)).collect();
        assert!(values.iter().all(|hu| hu.abs() <= Grain::BOUND_HU), "bounded");
        let squares: f64 = values.iter().map(|hu| f64::from(*hu).powi(2)).sum();
        let deviation = (squares / 40_000.0).sqrt();
        assert!((7.0..13.0).contains(&deviation), "a quiet scan has about 10 HU of noise, not {deviation}");
    }
}
