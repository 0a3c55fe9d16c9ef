//! Fills a box's store with small instances through the store's own door.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use sidelight::clock::Clock;
use sidelight::disk::Room;
use sidelight::store::{Arrival, AssociationId, Filed, Store};
use sidelight::uid::StudyUid;

use super::objects::{CT_IMAGE_STORAGE, Place, header, slice};

/// Each waits for the disk most of the time: together they share its syncs.
const THREADS: usize = 64;
const ASSOCIATION: AssociationId = AssociationId(0);

/// Files `instances` slices of 8x8 pixels in `studies` studies, and settles the studies, as analysis would.
pub(crate) fn fill(data_folder: &Path, instances: usize, studies: usize) -> anyhow::Result<()> {
    let (store, _) = Store::open(data_folder)?;
    let places: Vec<Place> = (0..studies).map(|_| Place::new()).collect();
    let room = Room::new(data_folder, 0);
    side_by_side(instances, |number| {
        let (instance, data_set) = slice(&places[number % studies], number / studies, 8);
        let claim = room.claim(data_set.len() as u64);
        let mut arrival = Arrival::begin(&store, &header(CT_IMAGE_STORAGE, &instance), claim)?;
        arrival.append(&data_set)?;
        let filed = arrival.finish(&store, None, ASSOCIATION, Clock.wall())?;
        anyhow::ensure!(matches!(filed, Filed::Kept { .. }), "a slice was not kept: {filed:?}");
        Ok(())
    })?;
    store.live().ended(ASSOCIATION, true);
    side_by_side(studies, |number| {
        let study = StudyUid::parse(&places[number].study)?;
        Ok(store.settle(&study, store.study(&study)?.instances)?)
    })
}

/// Does something with every number below `count`, on many threads.
fn side_by_side(count: usize, work: impl Fn(usize) -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let numbers = || std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
    std::thread::scope(|scope| {
        let each = || numbers().take_while(|number| *number < count).try_for_each(&work);
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(each)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
