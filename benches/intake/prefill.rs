//! Fills a box's store with small instances through the store's own door.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use sidelight::clock::Clock;
use sidelight::disk::Room;
use sidelight::store::{Arrival, AssociationId, Filed, Store};

use super::objects::{CT_IMAGE_STORAGE, Place, header, slice};

/// Each waits for the disk most of the time: together they share its syncs.
const THREADS: usize = 64;

/// Files `instances` slices of 8x8 pixels in `studies` studies.
pub(crate) fn fill(data_folder: &Path, instances: usize, studies: usize) -> anyhow::Result<()> {
    let (store, _) = Store::open(data_folder)?;
    let places: Vec<Place> = (0..studies).map(|_| Place::new()).collect();
    let room = Room::new(data_folder, 0);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let work = |thread: u64| {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= instances {
                    store.live().ended(AssociationId(thread), true);
                    return anyhow::Ok(());
                }
                let (instance, data_set) = slice(&places[number % studies], number / studies, 8);
                let claim = room.claim(data_set.len() as u64);
                let mut arrival = Arrival::begin(&store, &header(CT_IMAGE_STORAGE, &instance), claim)?;
                arrival.append(&data_set)?;
                let filed = arrival.finish(&store, None, AssociationId(thread), Clock.wall())?;
                anyhow::ensure!(matches!(filed, Filed::Kept { .. }), "a slice was not kept: {filed:?}");
            }
        };
        let threads: Vec<_> = (0..THREADS as u64).map(|thread| scope.spawn(move || work(thread))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
