//! Look-up tables of the Modality LUT and VOI LUT modules (PS3.3 C.11.1, C.11.2).

/// A table from stored (or modality) values to output values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lut {
    /// First value mapped; everything below takes the first entry, everything beyond the table its last.
    first: f64,
    entries: Vec<u16>,
    /// Of an entry; tells what white is.
    bits: u16,
}

impl Lut {
    /// Descriptor (three numbers: entries, first value, bits) and data as they stand in little endian. None where
    /// they make no table.
    pub fn of(descriptor: &[u8], data: &[u8], signed: bool) -> Option<Self> {
        let field = |at: usize| Some(u16::from_le_bytes(descriptor.get(at..at + 2)?.try_into().ok()?));
        let count = match field(0)? {
            0 => 65536,
            count => usize::from(count),
        };
        let first = if signed { f64::from(field(2)?.cast_signed()) } else { f64::from(field(2)?) };
        let bits = field(4)?.clamp(1, 16);
        let entries: Vec<u16> = if data.len() >= count * 2 {
            data.chunks_exact(2).take(count).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
        } else {
            // 8-bit entries may come packed.
            data.iter().take(count).map(|byte| u16::from(*byte)).collect()
        };
        (entries.len() == count).then_some(Self { first, entries, bits })
    }

    pub fn value(&self, input: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the table")]
        let index = (input - self.first).round().clamp(0.0, (self.entries.len() - 1) as f64) as usize;
        f64::from(self.entries[index])
    }

    /// Output from 0 to 1.
    pub fn grey(&self, input: f64) -> f64 {
        let white = f64::from(self.bits).exp2() - 1.0;
        (self.value(input) / white).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(numbers: &[u16]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    #[test]
    fn values_outside_the_table_take_its_ends() {
        let lut = Lut::of(&bytes(&[3, 10, 8]), &bytes(&[0, 100, 255]), false).unwrap();
        let mapped: Vec<f64> = [-5.0, 10.0, 11.0, 12.0, 9000.0].map(|value| lut.value(value)).into();
        assert_eq!(mapped, [0.0, 0.0, 100.0, 255.0, 255.0]);
        assert_eq!([lut.grey(10.0), lut.grey(12.0)], [0.0, 1.0]);
    }

    #[test]
    fn a_signed_first_value_packed_entries_and_a_full_table_are_read() {
        let lut = Lut::of(&bytes(&[2, (-1024i16).cast_unsigned(), 8]), &[7, 9], true).unwrap();
        assert_eq!([lut.value(-1024.0), lut.value(0.0)], [7.0, 9.0]);
        let full = Lut::of(&bytes(&[0, 0, 16]), &vec![1; 131_072], false).unwrap();
        assert_eq!(full.entries.len(), 65536);
    }

    #[test]
    fn what_makes_no_table_is_none() {
        assert_eq!(Lut::of(&[], &[], false), None);
        assert_eq!(Lut::of(&bytes(&[4, 0, 8]), &[1, 2], false), None);
    }
}
