//! The box's secrets: the token of the reading stations and the key of the pseudonyms.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const TOKEN_FILE: &str = "station.token";
const PSEUDONYM_FILE: &str = "pseudonym.key";
/// 256 bits: as long as the hash it keys.
const KEY_BYTES: usize = 32;

/// What only this box knows. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Identity {
    token: String,
    pseudonym_key: [u8; KEY_BYTES],
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(secret)")
    }
}

/// Why the box's keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("key file {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("key file {} is not 64 hexadecimal digits; make the site again", path.display())]
    Malformed { path: PathBuf },
    #[error("key file {} can be read by others: run chmod 600 on it", path.display())]
    Exposed { path: PathBuf },
    #[error("the operating system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

impl Identity {
    /// Makes fresh keys in `folder` unless they are there already.
    pub fn create(folder: &Path) -> Result<(), IdentityError> {
        let file = |source| IdentityError::File { path: folder.into(), source };
        std::fs::create_dir_all(folder).map_err(file)?;
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).map_err(file)?;
        for name in [TOKEN_FILE, PSEUDONYM_FILE] {
            create_key(&folder.join(name))?;
        }
        Ok(())
    }

    /// Reads the keys; files that others may read are refused.
    pub fn read(folder: &Path) -> Result<Self, IdentityError> {
        let (token, _) = read_key(&folder.join(TOKEN_FILE))?;
        let (_, pseudonym_key) = read_key(&folder.join(PSEUDONYM_FILE))?;
        Ok(Self { token, pseudonym_key })
    }

    /// What a reading station shows to be let in.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Whether `token` is the stations' token; takes as long for a wrong one as for the right one.
    pub fn admits(&self, token: &str) -> bool {
        let (ours, theirs) = (self.token.as_bytes(), token.as_bytes());
        let differences = ours.iter().zip(theirs).fold(0, |sum, (a, b)| sum | (a ^ b));
        ours.len() == theirs.len() && std::hint::black_box(differences) == 0
    }
    /// A name for `what` that nobody without the key can turn back: HMAC-SHA-256, first 128 bits, hexadecimal.
    pub fn pseudonym(&self, what: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.pseudonym_key).expect("HMAC takes any key length");
        mac.update(what.as_bytes());
        hex(&mac.finalize().into_bytes()[..16])
    }
}

fn create_key(path: &Path) -> Result<(), IdentityError> {
    let file = |source| IdentityError::File { path: path.into(), source };
    let mut key = [0u8; KEY_BYTES];
    getrandom::fill(&mut key).map_err(IdentityError::Random)?;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut created) => {
            created.write_all(hex(&key).as_bytes()).map_err(file)?;
            created.sync_all().map_err(file)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(file(source)),
    }
}

fn read_key(path: &Path) -> Result<(String, [u8; KEY_BYTES]), IdentityError> {
    let file = |source| IdentityError::File { path: path.into(), source };
    if std::fs::metadata(path).map_err(file)?.permissions().mode() & 0o077 != 0 {
        return Err(IdentityError::Exposed { path: path.into() });
    }
    let text = std::fs::read_to_string(path).map_err(file)?.trim().to_owned();
    let key = unhex(&text).ok_or_else(|| IdentityError::Malformed { path: path.into() })?;
    Ok((text, key))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; KEY_BYTES]> {
    if text.len() != 2 * KEY_BYTES || !text.is_ascii() {
        return None;
    }
    let mut key = [0u8; KEY_BYTES];
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_a_second_create_and_differ_between_boxes() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Identity::create(one.path()).unwrap();
        Identity::create(other.path()).unwrap();
        let first = Identity::read(one.path()).unwrap();
        Identity::create(one.path()).unwrap();
        assert_eq!(first.token(), Identity::read(one.path()).unwrap().token());
        let second = Identity::read(other.path()).unwrap();
        assert_ne!(first.token(), second.token());
        assert_ne!(first.pseudonym("1.2.3"), second.pseudonym("1.2.3"));
        assert_eq!(first.pseudonym("1.2.3").len(), 32);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        Identity::create(folder.path()).unwrap();
        let path = folder.path().join(TOKEN_FILE);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(matches!(Identity::read(folder.path()), Err(IdentityError::Exposed { .. })));
    }

    #[test]
    fn debug_shows_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        Identity::create(folder.path()).unwrap();
        let identity = Identity::read(folder.path()).unwrap();
        assert!(!format!("{identity:?}").contains(identity.token()));
    }
}
