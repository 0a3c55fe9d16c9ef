//! Reads NumPy's array files (`numpy.save`, format 1 to 3): golden inputs and outputs of a bundle. Little endian, C order,
//! single precision or 64-bit integers; anything else is refused.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::tensor::{Tensor, Values};

/// Golden values are a small sample; a larger file is not one.
const FILE_BYTES_MAX: u64 = 16 << 20;
const MAGIC: &[u8] = b"\x93NUMPY";

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NpyError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is no array this box reads: {what}", path.display())]
    Foreign { path: PathBuf, what: String },
}

/// Reads one array.
pub fn read(path: &Path) -> Result<Tensor, NpyError> {
    let fail = |source| NpyError::Read { path: path.into(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(NpyError::Foreign {
            path: path.into(),
            what: format!("larger than {FILE_BYTES_MAX} bytes"),
        });
    }
    parse(&bytes).map_err(|what| NpyError::Foreign { path: path.into(), what })
}

fn parse(bytes: &[u8]) -> Result<Tensor, String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin as one")?;
    let (header, data) = match rest {
        [1, _, a, b, rest @ ..] => rest.split_at_checked(usize::from(u16::from_le_bytes([*a, *b]))),
        [2 | 3, _, a, b, c, d, rest @ ..] => {
            rest.split_at_checked(u32::from_le_bytes([*a, *b, *c, *d]) as usize)
        }
        _ => return Err("its version is unknown".into()),
    }
    .ok_or("its header is cut off")?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is no text")?;
    if !header.contains("'fortran_order': False") {
        return Err("not in C order".into());
    }
    let shape = shape_of(header)?;
    let values = if header.contains("'descr': '<f4'") {
        Values::F32(
            data.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().expect("of 4"))).collect(),
        )
    } else if header.contains("'descr': '<i8'") {
        Values::I64(
            data.chunks_exact(8).map(|eight| i64::from_le_bytes(eight.try_into().expect("of 8"))).collect(),
        )
    } else {
        return Err("neither float32 nor int64, little endian".into());
    };
    Tensor::new(shape, values).map_err(|error| error.to_string())
}

/// `'shape': (2, 1, 128), ...`; a scalar's is `()`.
fn shape_of(header: &str) -> Result<Vec<usize>, String> {
    let from = header.split_once("'shape': (").ok_or("its header names no shape")?.1;
    let sides = from.split_once(')').ok_or("its shape is cut off")?.0;
    let sides = sides.split(',').map(str::trim).filter(|side| !side.is_empty());
    sides.map(|side| side.parse().map_err(|_| format!("{side:?} is no side of a shape"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    #[test]
    fn arrays_numpy_wrote_are_read() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }          \n";
        let data = [1.5_f32.to_le_bytes(), (-2.0_f32).to_le_bytes()].concat();
        assert_eq!(parse(&file(header, &data)).unwrap(), Tensor::f32(&[1, 2], vec![1.5, -2.0]).unwrap());
        let header = "{'descr': '<i8', 'fortran_order': False, 'shape': (), }\n";
        let scalar = parse(&file(header, &16000_i64.to_le_bytes())).unwrap();
        assert_eq!((scalar.shape(), scalar.values()), (&[][..], &Values::I64(vec![16000])));
    }

    #[test]
    fn whatever_else_is_refused_in_words() {
        let whole = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
        for (bytes, word) in [
            (b"ONNX".to_vec(), "begin"),
            (file(whole, &[0; 4]), "hold"),
            (file(&whole.replace("<f4", "<f8"), &[0; 16]), "float32"),
            (file(&whole.replace("False", "True"), &[0; 8]), "C order"),
            (file(&whole.replace("(2,)", "(99999999999999999999,)"), &[0; 8]), "side"),
            ([MAGIC, &[1, 0, 255, 255]].concat(), "cut off"),
            ([MAGIC, &[9, 0, 0, 0]].concat(), "version"),
        ] {
            let message = parse(&bytes).unwrap_err();
            assert!(message.contains(word), "{message} does not say {word}");
        }
    }
}
