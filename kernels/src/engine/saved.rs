//! What the driver compiled, as bytes that somebody keeps between two starts of the box.
//!
//! A header stands before the driver's own bytes: whose they are (adapter, driver, our version) and that they are whole.
//! What does not fit is left alone, never mended: the driver then compiles again.

/// Changes with the header.
const MAGIC: [u8; 8] = *b"sdlpipe1";

/// Magic, then three numbers of eight bytes: whose, length, digest of what follows.
const HEADER_BYTES: usize = 32;

/// More than the twenty kernels there are need (some hundred KiB on every driver tried); what is larger is not ours.
pub const SAVED_BYTES_MAX: usize = 16 << 20;

/// The driver's bytes behind a header; `None` where they are too many.
pub(super) fn sealed(key: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    if HEADER_BYTES + bytes.len() > SAVED_BYTES_MAX {
        return None;
    }
    let numbers = [digest(key.as_bytes()), bytes.len() as u64, digest(bytes)];
    let header = numbers.iter().flat_map(|number| number.to_le_bytes());
    Some(MAGIC.into_iter().chain(header).chain(bytes.iter().copied()).collect())
}

/// The driver's bytes, if they are whole and of this adapter, driver and version.
pub(crate) fn unsealed<'a>(key: &str, saved: &'a [u8]) -> Option<&'a [u8]> {
    if saved.len() > SAVED_BYTES_MAX {
        return None;
    }
    let (header, bytes) = saved.split_at_checked(HEADER_BYTES)?;
    let (magic, numbers) = header.split_at(MAGIC.len());
    let expected = [digest(key.as_bytes()), bytes.len() as u64, digest(bytes)];
    let fits = magic == MAGIC && numbers.chunks(8).zip(expected).all(|(found, n)| *found == n.to_le_bytes());
    fits.then_some(bytes)
}

/// FNV-1a. Against rot and mix-ups, not against people: who may write the box's data may do worse.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |digest, &byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_to_whom_they_belong_and_to_nobody_else() {
        let saved = sealed("card, driver 1", &[7; 100]).unwrap();
        assert_eq!(unsealed("card, driver 1", &saved), Some(&[7; 100][..]));
        assert_eq!(unsealed("card, driver 2", &saved), None);
        assert_eq!(unsealed("card, driver 1", &[]), None);
        for length in 0..saved.len() {
            assert_eq!(unsealed("card, driver 1", &saved[..length]), None, "cut to {length} bytes");
        }
        for at in 0..saved.len() {
            let mut rotten = saved.clone();
            rotten[at] ^= 4;
            assert_eq!(unsealed("card, driver 1", &rotten), None, "byte {at}");
        }
    }

    #[test]
    fn what_is_too_large_is_neither_handed_out_nor_taken() {
        let large = vec![1; SAVED_BYTES_MAX];
        assert_eq!(sealed("card", &large), None);
        assert_eq!(unsealed("card", &large), None);
    }
}
