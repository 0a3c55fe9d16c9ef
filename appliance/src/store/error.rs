//! What can go wrong in the store, by what the caller can do about it.

use std::path::{Path, PathBuf};

use crate::part10::FactsError;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk refused. Stops the box: nothing may be acknowledged any more.
    #[error("cannot {doing} {}: {source}", path.display())]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },
    /// The index refused. Stops the box; the next start rebuilds it from the files.
    #[error("the index refused: {0}")]
    Index(#[from] sled::Error),
    /// A record in the index that this version cannot read. The next start rebuilds it.
    #[error("a record of tree {tree} does not read back: {source}")]
    Record { tree: &'static str, source: serde_json::Error },
    /// The audit journal refused: what must be on record does not happen.
    #[error(transparent)]
    Audit(#[from] crate::audit::AuditError),
    /// Nothing by that name.
    #[error("the box has no such {0}")]
    Unknown(&'static str),
    /// The box made an object that it cannot read itself.
    #[error("an object made here does not read back: {0}")]
    OwnObject(#[from] FactsError),
    /// Too long for its place.
    #[error("{what} has {bytes} bytes, more than the {limit} allowed")]
    TooLarge { what: &'static str, bytes: usize, limit: usize },
}

impl StoreError {
    pub(crate) fn file<'a>(
        doing: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<'a> {
        move |source| Self::File { doing, path: path.to_owned(), source }
    }
}
