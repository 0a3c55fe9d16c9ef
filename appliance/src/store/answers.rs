//! What networks said, kept so that the same network is not asked the same thing twice: `data/answers/<key>`.
//!
//! The key is made by whoever asks, of everything the answer depends on. A file is its own SHA-256 and the bytes,
//! deflated; one that does not agree with itself is no answer. Nothing rests on an answer being there: the oldest go
//! first once there are too many, one that cannot be written is asked for again. They name no patient and no study; a
//! deleted study takes those its runs name with it (`runs.rs`).

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use sha2::{Digest as _, Sha256};

use super::{Store, durable};

/// Labels of a few thousand hearts, or of some hundred large volumes.
const ANSWERS_BYTES_MAX: u64 = 256 << 20;
/// Labels of a volume of 512 x 512 x 2048.
const ANSWER_BYTES_MAX: u64 = 512 << 20;
const HASH_BYTES: usize = 32;

impl Store {
    /// The answer under a key, as it was kept.
    pub fn answer(&self, key: &str) -> Option<Vec<u8>> {
        let file = std::fs::read(self.answer_path(key)?).ok()?;
        let (hash, deflated) = file.split_at_checked(HASH_BYTES)?;
        if Sha256::digest(deflated).as_slice() != hash {
            tracing::warn!(key, "a kept answer is damaged; the network is asked again");
            return None;
        }
        let mut bytes = Vec::new();
        DeflateDecoder::new(deflated).take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Keeps an answer. One that cannot be kept is said in the log and costs a run of the network later.
    pub fn keep_answer(&self, key: &str, bytes: &[u8]) {
        let Some(path) = self.answer_path(key).filter(|_| bytes.len() as u64 <= ANSWER_BYTES_MAX) else {
            return tracing::warn!(key, "an answer is too large to be kept");
        };
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::fast());
        let written = deflated.write_all(bytes).and_then(|()| deflated.finish());
        let kept = written.map(|deflated| [Sha256::digest(&deflated).as_slice(), &deflated].concat());
        let kept = kept.map_err(super::StoreError::file("deflate for", &path)).and_then(|file| {
            durable::create_folder(&self.folder().join("answers"))?;
            durable::replace(&path, &file)
        });
        if let Err(error) = kept {
            tracing::warn!(%error, "an answer was not kept");
        }
        self.thin_answers(ANSWERS_BYTES_MAX);
    }

    pub(super) fn drop_answer(&self, key: &str) {
        if let Some(path) = self.answer_path(key) {
            let _gone_already = std::fs::remove_file(path);
        }
    }

    /// Takes the oldest away until the others fit.
    fn thin_answers(&self, bytes_max: u64) {
        let listing = std::fs::read_dir(self.folder().join("answers")).into_iter().flatten().flatten();
        let mut kept: Vec<_> = listing
            .filter_map(|entry| {
                let about = entry.metadata().ok()?;
                Some((about.modified().ok()?, about.len(), entry.path()))
            })
            .collect();
        kept.sort();
        let mut bytes: u64 = kept.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in kept {
            if bytes <= bytes_max {
                return;
            }
            if std::fs::remove_file(path).is_ok() {
                bytes -= length;
            }
        }
    }

    /// A key is hexadecimal: it is never a path.
    fn answer_path(&self, key: &str) -> Option<PathBuf> {
        let sound = key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
        sound.then(|| self.folder().join("answers").join(key))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::open;
    use super::*;

    fn key(letter: char) -> String {
        letter.to_string().repeat(64)
    }

    #[test]
    fn an_answer_reads_back_until_one_bit_of_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(folder.path());
        let bytes: Vec<u8> = (0..100_000_u32).map(|at| u8::try_from(at / 700 % 3).unwrap()).collect();
        assert_eq!(store.answer(&key('a')), None);
        store.keep_answer(&key('a'), &bytes);
        assert_eq!(store.answer(&key('a')).as_ref(), Some(&bytes));
        assert_eq!(store.answer(&key('b')), None);
        let path = store.answer_path(&key('a')).unwrap();
        let file = std::fs::read(&path).unwrap();
        assert!(file.len() < bytes.len() / 20, "{} bytes kept", file.len());
        for at in [0, HASH_BYTES, file.len() - 1] {
            let mut other = file.clone();
            other[at] ^= 1;
            std::fs::write(&path, other).unwrap();
            assert_eq!(store.answer(&key('a')), None, "byte {at}");
        }
        for cut in [0, 7, HASH_BYTES, file.len() - 1] {
            std::fs::write(&path, &file[..cut]).unwrap();
            assert_eq!(store.answer(&key('a')), None, "cut at {cut}");
        }
        store.keep_answer("../../x", &bytes);
        assert_eq!(store.answer("../../x"), None);
    }

    #[test]
    fn the_oldest_go_first_and_only_as_many_as_must() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(folder.path());
        let mut noise = 1_u32;
        for (letter, second) in ['a', 'b', 'c', 'd'].into_iter().zip(1..) {
            let bytes: Vec<u8> = std::iter::repeat_with(|| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                noise.to_be_bytes()[0]
            })
            .take(1000)
            .collect();
            store.keep_answer(&key(letter), &bytes);
            let file = std::fs::File::options().append(true).open(store.answer_path(&key(letter)).unwrap());
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(second);
            file.unwrap().set_modified(at).unwrap();
        }
        store.thin_answers(2500);
        let left: Vec<bool> = ['a', 'b', 'c', 'd'].map(|letter| store.answer(&key(letter)).is_some()).into();
        assert_eq!(left, [false, false, true, true]);
    }
}
