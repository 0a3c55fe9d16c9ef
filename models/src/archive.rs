//! A bundle's files as one file: a tar (POSIX.1-1988 ustar) that has the same bytes wherever the same files lie, written
//! from any byte on without ever being whole in memory.
//!
//! Files in the order of their names under `<name>-<version>/`, readable for all, of nobody, from 1970: only names and
//! bytes count.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::digest::{hexadecimal, sha256_of};

/// A bundle is a handful of files; a folder with more holds something else.
const FILES_MAX: usize = 64;
const BLOCK: usize = 512;
/// Names are cut here by the header; no file of a bundle has such a long one.
const NAME_BYTES_MAX: usize = 99;

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFile {
    pub name: String,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
    path: PathBuf,
    modified: Option<SystemTime>,
}

impl BundleFile {
    /// Whether it still is as long and as old as when it was hashed.
    pub fn is_unchanged(&self) -> bool {
        std::fs::metadata(&self.path)
            .is_ok_and(|now| now.len() == self.bytes && now.modified().ok() == self.modified)
    }

    /// Writes so many bytes from one on.
    pub fn write(&self, first: u64, count: u64, out: &mut dyn Write) -> io::Result<()> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(first))?;
        match io::copy(&mut file.take(count), out)? {
            copied if copied == count => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a bundle's file became shorter")),
        }
    }
}

/// The files of a bundle's folder, hashed, in the order of their names.
pub fn files(folder: &Path) -> io::Result<Vec<BundleFile>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        // Links could lead out of the folder.
        if !entry.file_type()?.is_file() || name.is_empty() || name.len() > NAME_BYTES_MAX {
            continue;
        }
        if files.len() == FILES_MAX {
            return Err(io::Error::other(format!("more than {FILES_MAX} files")));
        }
        let about = entry.metadata()?;
        let (sha256, bytes) = sha256_of(&mut File::open(entry.path())?)?;
        files.push(BundleFile { name, bytes, sha256, path: entry.path(), modified: about.modified().ok() });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// The files of a bundle one after the other.
#[derive(Clone, Debug)]
pub struct Archive {
    parts: Vec<Part>,
    bytes: u64,
}

#[derive(Clone, Debug)]
enum Part {
    Header(Box<[u8; BLOCK]>),
    File(BundleFile),
    Zeros(u64),
}

impl Part {
    fn bytes(&self) -> u64 {
        match self {
            Self::Header(_) => BLOCK as u64,
            Self::File(file) => file.bytes,
            Self::Zeros(count) => *count,
        }
    }

    fn write(&self, first: u64, count: u64, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Header(header) => {
                let first = usize::try_from(first).unwrap_or(BLOCK);
                let end = first.saturating_add(usize::try_from(count).unwrap_or(BLOCK)).min(BLOCK);
                out.write_all(&header[first.min(end)..end])
            }
            Self::File(file) => file.write(first, count, out),
            Self::Zeros(_) => io::copy(&mut io::repeat(0).take(count), out).map(drop),
        }
    }
}

impl Archive {
    /// `folder` is the name that the files have in front of theirs.
    pub fn of(folder: &str, files: &[BundleFile]) -> Self {
        let mut parts = Vec::with_capacity(3 * files.len() + 1);
        for file in files {
            parts.push(Part::Header(Box::new(header(&format!("{folder}/{}", file.name), file.bytes))));
            parts.push(Part::File(file.clone()));
            parts.push(Part::Zeros(file.bytes.next_multiple_of(BLOCK as u64) - file.bytes));
        }
        parts.push(Part::Zeros(2 * BLOCK as u64));
        let bytes = parts.iter().map(Part::bytes).sum();
        Self { parts, bytes }
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes so many bytes from one on.
    pub fn write(&self, first: u64, count: u64, out: &mut dyn Write) -> io::Result<()> {
        let (mut begin, end) = (0, first.saturating_add(count).min(self.bytes));
        for part in &self.parts {
            let (from, to) = (first.max(begin), end.min(begin + part.bytes()));
            if from < to {
                part.write(from - begin, to - from, out)?;
            }
            begin += part.bytes();
        }
        Ok(())
    }

    /// Of all its bytes, in hexadecimal.
    pub fn sha256(&self) -> io::Result<String> {
        let mut hash = Hash(Sha256::new());
        self.write(0, self.bytes, &mut hash)?;
        Ok(hexadecimal(&hash.0.finalize()))
    }
}

struct Hash(Sha256);

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One entry's header. A name of more than 100 bytes stands in two fields, parted at the folder.
fn header(name: &str, bytes: u64) -> [u8; BLOCK] {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    let (folder, plain) = match name.split_once('/') {
        Some((folder, plain)) if name.len() > NAME_BYTES_MAX => (folder, plain),
        _ => ("", name),
    };
    put(0, plain.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    // Eleven octal digits hold 8 GiB, more than any network may have.
    put(124, format!("{bytes:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, folder.as_bytes());
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [("b.onnx", 700_usize), ("a.toml", 512), ("empty", 0)] {
            let values: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect();
            std::fs::write(folder.path().join(name), values).unwrap();
        }
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        folder
    }

    fn whole(archive: &Archive) -> Vec<u8> {
        let mut bytes = Vec::new();
        archive.write(0, u64::MAX, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_same_files_have_the_same_bytes_and_tar_reads_them() {
        let (one, other) = (folder(), folder());
        let archives = [&one, &other].map(|place| Archive::of("m-1", &files(place.path()).unwrap()));
        let bytes = whole(&archives[0]);
        assert_eq!(bytes, whole(&archives[1]));
        assert_eq!(bytes.len() as u64, archives[0].bytes());
        assert_eq!(archives[0].sha256().unwrap(), crate::digest::sha256_hex(&bytes));
        let out = tempfile::tempdir().unwrap();
        std::fs::write(out.path().join("m.tar"), &bytes).unwrap();
        let tar = std::process::Command::new("tar").args(["xf", "m.tar"]).current_dir(out.path()).status();
        assert!(tar.unwrap().success());
        let names = files(&out.path().join("m-1")).unwrap();
        let expected = files(one.path()).unwrap();
        let plain = |files: &[BundleFile]| -> Vec<(String, u64, String)> {
            files.iter().map(|file| (file.name.clone(), file.bytes, file.sha256.clone())).collect()
        };
        assert_eq!(plain(&names), plain(&expected));
        assert_eq!(
            names.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(),
            ["a.toml", "b.onnx", "empty"]
        );
    }

    #[test]
    fn every_piece_is_cut_out_of_the_whole() {
        let place = folder();
        let archive = Archive::of("m-1", &files(place.path()).unwrap());
        let bytes = whole(&archive);
        for (first, count) in
            [(0, 1), (500, 30), (511, 2), (1000, 1500), (3000, 9999), (0, bytes.len() as u64)]
        {
            let mut piece = Vec::new();
            archive.write(first, count, &mut piece).unwrap();
            let from = usize::try_from(first).unwrap();
            let to = (from + usize::try_from(count).unwrap()).min(bytes.len());
            assert_eq!(piece, bytes[from..to], "{count} from {first}");
        }
    }

    #[test]
    fn a_file_that_was_changed_is_noticed_and_one_that_became_shorter_is_no_silent_end() {
        let place = folder();
        let listed = files(place.path()).unwrap();
        assert!(listed.iter().all(BundleFile::is_unchanged));
        std::fs::write(place.path().join("b.onnx"), b"short").unwrap();
        assert!(!listed[1].is_unchanged());
        assert!(listed[1].write(0, 700, &mut Vec::new()).is_err());
    }

    #[test]
    fn a_long_name_is_parted_at_its_folder() {
        let (folder, plain) = ("f".repeat(80), "p".repeat(60));
        let header = header(&format!("{folder}/{plain}"), 5);
        assert_eq!(&header[..60], plain.as_bytes());
        assert_eq!(&header[345..425], folder.as_bytes());
    }
}
