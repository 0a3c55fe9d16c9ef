//! Large parts of a finding as files beside its document: `findings/<id>/<name>-<hash>.bin`.
//!
//! A part is durable before the document that names it, and is named by its hash, so a document never points at bytes
//! of another computation. sled never sees them.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::perfusion::FilePart;
use super::{Store, durable, hex};
use crate::uid::StudyUid;

impl Store {
    /// Files a part. Durable when it returns; the same bytes again are the same file.
    pub fn file_part(
        &self,
        study: &StudyUid,
        finding_id: &str,
        name: &str,
        bytes: &[u8],
    ) -> Result<FilePart, StoreError> {
        let sha256 = hex(&Sha256::digest(bytes));
        let part = FilePart { name: name.to_owned(), bytes: bytes.len() as u64, sha256 };
        let path = self.part_path(study, finding_id, &part);
        durable::create_folder(path.parent().expect("a part lies in a folder"))?;
        durable::replace(&path, bytes)?;
        Ok(part)
    }

    /// Bytes of a part, from `from` on.
    pub fn read_part(
        &self,
        study: &StudyUid,
        finding_id: &str,
        part: &FilePart,
        from: u64,
        count: usize,
    ) -> Result<Vec<u8>, StoreError> {
        let end = from.checked_add(count as u64);
        if end.is_none_or(|end| end > part.bytes) {
            return Err(StoreError::Unknown("slice"));
        }
        let path = self.part_path(study, finding_id, part);
        let mut bytes = vec![0; count];
        File::open(&path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(from))?;
                file.read_exact(&mut bytes)
            })
            .map_err(StoreError::file("read", &path))?;
        Ok(bytes)
    }

    /// A whole part, its hash checked.
    pub fn part(&self, study: &StudyUid, finding_id: &str, part: &FilePart) -> Result<Vec<u8>, StoreError> {
        let path = self.part_path(study, finding_id, part);
        let bytes = std::fs::read(&path).map_err(StoreError::file("read", &path))?;
        if hex(&Sha256::digest(&bytes)) == part.sha256 {
            return Ok(bytes);
        }
        let rotten = std::io::Error::new(std::io::ErrorKind::InvalidData, "its bytes differ from its hash");
        Err(StoreError::file("read", &path)(rotten))
    }

    /// Takes away the parts of a study whose images are gone; the documents, which name them, stay.
    pub(super) fn drop_parts(&self, study: &StudyUid) -> Result<(), StoreError> {
        let findings = self.study_folder(study).join("findings");
        for entry in std::fs::read_dir(&findings).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                std::fs::remove_dir_all(&path).map_err(StoreError::file("remove", &path))?;
            }
        }
        Ok(())
    }

    fn part_path(&self, study: &StudyUid, finding_id: &str, part: &FilePart) -> PathBuf {
        let folder = self.study_folder(study).join("findings").join(finding_id);
        folder.join(format!("{}-{}.bin", part.name, &part.sha256[..16]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{open, study};
    use super::*;

    #[test]
    fn a_part_reads_back_in_pieces_and_one_that_rotted_does_not_read_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(folder.path());
        let part = store.file_part(&study(), "f1", "cbf", b"0123456789").unwrap();
        assert_eq!((part.bytes, part.sha256.len()), (10, 64));
        assert_eq!(store.read_part(&study(), "f1", &part, 4, 3).unwrap(), b"456");
        assert_eq!(store.part(&study(), "f1", &part).unwrap(), b"0123456789");
        for (from, count) in [(8, 3), (u64::MAX, 2), (11, 0)] {
            assert!(matches!(
                store.read_part(&study(), "f1", &part, from, count),
                Err(StoreError::Unknown(_))
            ));
        }
        let documents = store.study_folder(&study()).join("findings").join("f1.json");
        std::fs::write(&documents, b"{}").unwrap();
        std::fs::write(store.part_path(&study(), "f1", &part), b"0123456780").unwrap();
        assert!(store.part(&study(), "f1", &part).is_err());
        store.drop_parts(&study()).unwrap();
        assert!(documents.exists() && !store.part_path(&study(), "f1", &part).exists());
    }
}
