//! Promises to send: journalled before they count, kept until the other side has said it has them.

use std::sync::atomic::Ordering;

use super::Store;
use super::error::StoreError;
use super::index::Tree;
use super::journal::Entry;
use super::records::Promise;

/// Larger results go as a manifest with hashed chunks (design.md section 6); none is that large yet.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

impl Store {
    /// Promises to deliver `payload` on `lane`. The same `key` is promised once, whatever was repeated after a crash.
    pub fn promise(&self, key: &str, lane: &str, payload: String) -> Result<(), StoreError> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(StoreError::TooLarge {
                what: "a message",
                bytes: payload.len(),
                limit: PAYLOAD_BYTES_MAX,
            });
        }
        let _writing = self.inner.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.was_promised(key)? {
            return Ok(());
        }
        let sequence = self.inner.next_promise.fetch_add(1, Ordering::SeqCst);
        let promise = Promise { sequence, key: key.to_owned(), lane: lane.to_owned(), payload };
        self.append(&Entry::Promised(promise.clone()))?;
        self.index_promise(&promise)?;
        self.inner.index.commit()
    }

    /// Whether `key` was ever promised, delivered or not.
    pub fn was_promised(&self, key: &str) -> Result<bool, StoreError> {
        self.inner.index.contains(Tree::Promised, key.as_bytes())
    }

    /// The oldest promise not yet kept.
    pub fn next_promise(&self) -> Result<Option<Promise>, StoreError> {
        Ok(self.inner.index.first(Tree::Outbox)?.map(|(_, promise)| promise))
    }

    pub fn promises_waiting(&self) -> usize {
        self.inner.index.count(Tree::Outbox)
    }

    /// The other side has acknowledged it.
    pub fn delivered(&self, sequence: u64) -> Result<(), StoreError> {
        self.append(&Entry::Delivered { sequence })?;
        self.inner.index.remove(Tree::Outbox, &sequence.to_be_bytes())?;
        self.inner.index.commit()
    }

    pub(super) fn index_promise(&self, promise: &Promise) -> Result<(), StoreError> {
        self.inner.index.put(Tree::Promised, promise.key.as_bytes(), &promise.sequence)?;
        self.inner.index.put(Tree::Outbox, &promise.sequence.to_be_bytes(), promise)
    }
}
