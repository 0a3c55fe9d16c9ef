//! The books of device memory: what is held, under which label, and the most that was held at once.
//!
//! The ledger is the authority, not the driver: what it refuses is never asked of the driver. A [`Charge`] lives as
//! long as the memory it stands for and gives it back when dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::EngineError;

/// No operation takes more, whatever the card has: a box shares its GPU, and the smallest we serve have 4 GiB.
pub(crate) const BUDGET_BYTES_MAX: u64 = 2 << 30;

#[derive(Clone, Debug)]
pub(crate) struct Ledger(Arc<Mutex<Books>>);

#[derive(Debug)]
struct Books {
    /// Never more than this, whatever the device allows.
    ceiling_bytes: u64,
    budget_bytes: u64,
    current_bytes: u64,
    peak_bytes: u64,
    /// What the operation that began last may hold at once, itself and what was held before it.
    promised_bytes: u64,
    by_label: BTreeMap<&'static str, u64>,
}

/// Memory that is held; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Charge {
    ledger: Ledger,
    label: &'static str,
    bytes: u64,
}

/// What the books remember of an operation while another one has its turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suspended {
    /// Stated by the operation and not taken yet.
    pub(crate) owed_bytes: u64,
    peak_bytes: u64,
}

impl Ledger {
    pub(super) fn new() -> Self {
        let books = Books {
            ceiling_bytes: BUDGET_BYTES_MAX,
            budget_bytes: BUDGET_BYTES_MAX,
            current_bytes: 0,
            peak_bytes: 0,
            promised_bytes: 0,
            by_label: BTreeMap::new(),
        };
        Self(Arc::new(Mutex::new(books)))
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the device allows this process now; never more than [`BUDGET_BYTES_MAX`].
    pub(super) fn narrow(&self, allowed_bytes: u64) {
        let mut books = self.books();
        books.budget_bytes = allowed_bytes.min(books.ceiling_bytes);
    }

    /// A smaller device.
    #[cfg(test)]
    pub(crate) fn lower_ceiling(&self, bytes: u64) {
        let mut books = self.books();
        (books.ceiling_bytes, books.budget_bytes) = (bytes, bytes);
    }

    pub(crate) fn current_bytes(&self) -> u64 {
        self.books().current_bytes
    }

    /// The most that was held at once since the operation began.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.books().peak_bytes
    }

    pub(crate) fn free_bytes(&self) -> u64 {
        let books = self.books();
        books.budget_bytes.saturating_sub(books.current_bytes)
    }

    /// What is held under each label.
    #[cfg(test)]
    pub(crate) fn held(&self) -> Vec<(&'static str, u64)> {
        self.books().by_label.iter().map(|(label, bytes)| (*label, *bytes)).collect()
    }

    /// The peak is counted from here on. Refuses what would not fit beside what is held.
    pub(super) fn begin(&self, operation: &'static str, wanted_bytes: u64) -> Result<(), EngineError> {
        let mut books = self.books();
        books.peak_bytes = books.current_bytes;
        books.fits(operation, wanted_bytes)?;
        books.promised_bytes = books.current_bytes + wanted_bytes;
        Ok(())
    }

    /// The operation in hand makes way for another, which begins and ends before it goes on.
    pub(crate) fn suspend(&self) -> Suspended {
        let books = self.books();
        let owed_bytes = books.promised_bytes.saturating_sub(books.current_bytes);
        Suspended { owed_bytes, peak_bytes: books.peak_bytes }
    }

    /// It goes on, and may still take so many bytes.
    pub(crate) fn resume(&self, operation: Suspended, owed_bytes: u64) {
        let mut books = self.books();
        books.peak_bytes = books.peak_bytes.max(operation.peak_bytes);
        books.promised_bytes = books.current_bytes + owed_bytes;
    }

    pub(super) fn charge(&self, label: &'static str, bytes: u64) -> Result<Charge, EngineError> {
        let mut books = self.books();
        books.fits(label, bytes)?;
        books.current_bytes += bytes;
        books.peak_bytes = books.peak_bytes.max(books.current_bytes);
        *books.by_label.entry(label).or_default() += bytes;
        Ok(Charge { ledger: self.clone(), label, bytes })
    }
}

impl Books {
    fn fits(&self, label: &'static str, wanted_bytes: u64) -> Result<(), EngineError> {
        let free_bytes = self.budget_bytes.saturating_sub(self.current_bytes);
        if wanted_bytes <= free_bytes {
            return Ok(());
        }
        Err(EngineError::OverBudget { label, wanted_bytes, free_bytes, budget_bytes: self.budget_bytes })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut books = self.ledger.books();
        books.current_bytes -= self.bytes;
        let held = books.by_label.get_mut(self.label).expect("a charge was entered when it was made");
        *held -= self.bytes;
        if *held == 0 {
            books.by_label.remove(self.label);
        }
    }
}
