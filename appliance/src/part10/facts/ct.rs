//! How a CT image was made, as far as a calcium score depends on it.

use serde::{Deserialize, Serialize};

use super::Wanted;

/// Absent values are those the object does not state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CtFacts {
    pub slice_thickness_mm: Option<f64>,
    /// Convolution Kernel: its name, and on some scanners a strength.
    pub convolution_kernels: Vec<String>,
    /// Calcium Scoring Mass Factor Patient (0018,9351): mg for each cubic centimetre and Hounsfield unit.
    pub mass_factor_patient: Option<f64>,
    /// Calcium Scoring Mass Factor Device (0018,9352): the same for small, medium and large patients.
    pub mass_factor_device: Option<[f64; 3]>,
}

impl Wanted {
    pub(super) fn ct(&self) -> CtFacts {
        let kernels = self.text((0x0018, 0x1210));
        let kernels = kernels.split('\\').map(str::trim).filter(|kernel| !kernel.is_empty());
        CtFacts {
            slice_thickness_mm: self.exactly::<1>((0x0018, 0x0050)).map(|[mm]| mm),
            convolution_kernels: kernels.map(str::to_owned).collect(),
            mass_factor_patient: self.floats::<1>((0x0018, 0x9351)).map(|[factor]| factor),
            mass_factor_device: self.floats((0x0018, 0x9352)),
        }
    }

    /// All values of an FL element, or nothing where one of them is no finite number.
    fn floats<const N: usize>(&self, tag: (u16, u16)) -> Option<[f64; N]> {
        let (values, []) = self.bytes(tag)?.as_chunks::<4>() else { return None };
        let float = |bytes: [u8; 4]| {
            let value = if self.big_endian { f32::from_be_bytes(bytes) } else { f32::from_le_bytes(bytes) };
            Some(f64::from(value)).filter(|value| value.is_finite())
        };
        let values: Option<Vec<f64>> = values.iter().map(|bytes| float(*bytes)).collect();
        values?.try_into().ok()
    }
}
