use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use sidelight_kernels::rendering::{PlanePlace, Projection, Reformat, reformat};
use sidelight_kernels::{Dimensions, Geometry, Volume};

use super::*;

/// A job that nobody lets go on ends after so many turns of a millisecond.
const TURNS_MAX: u32 = 30_000;

fn started(wish: Wish, folder: &tempfile::TempDir) -> Compute {
    start(wish, folder.path(), Clock).expect("a thread").0
}

/// A job whose turns go on until it is told that it is enough.
async fn long_job(compute: Compute, rank: Rank, began: oneshot::Sender<()>, enough: Arc<AtomicBool>) -> u32 {
    let job = compute.run(rank, move |processor, turns| {
        let _ = began.send(());
        let mut count = 0;
        while count < TURNS_MAX && !enough.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
            turns.between(processor);
            count += 1;
        }
        count
    });
    job.await.expect("the thread works").answer
}

#[tokio::test]
async fn a_picture_is_drawn_while_a_job_runs() {
    for rank in [Rank::Ordinary, Rank::Urgent] {
        let folder = tempfile::tempdir().unwrap();
        let compute = started(Wish::Twin, &folder);
        let (enough, (began, begun)) = (Arc::new(AtomicBool::new(false)), oneshot::channel());
        let job = tokio::spawn(long_job(compute.clone(), rank, began, enough.clone()));
        begun.await.unwrap();
        for picture in 0..5 {
            assert_eq!(compute.run_frame(move |_| picture).await.unwrap(), picture);
        }
        assert!(!job.is_finished());
        enough.store(true, Ordering::SeqCst);
        let turns = job.await.unwrap();
        assert!(turns < TURNS_MAX, "{rank:?}: the job ended before the pictures were drawn");
    }
}

#[tokio::test]
async fn a_job_that_waits_for_no_picture_is_not_held_up_and_ends_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let compute = started(Wish::Twin, &folder);
    let heard = Arc::new(AtomicU32::new(0));
    let hears = heard.clone();
    let job = compute.run(Rank::Ordinary, move |processor, turns| {
        let mut checkpoint = turns.shared(|_| match hears.fetch_add(1, Ordering::SeqCst) {
            ..3 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        });
        (0..TURNS_MAX).any(|_| checkpoint(processor, 0.5).is_break())
    });
    assert!(job.await.unwrap().answer);
    assert_eq!(heard.load(Ordering::SeqCst), 4);
}

/// A cut through a volume with slices of so many voxels a side.
fn cut(side: u32) -> impl FnOnce(&mut Processor, &mut Turns<'_>) -> usize + Send + 'static {
    move |processor, _| {
        let dimensions = Dimensions { columns: side, rows: side, slices: 1 };
        let geometry = Geometry {
            column_spacing_mm: 1.0,
            row_spacing_mm: 1.0,
            slice_increment_mm: 1.0,
            patient_mm_from_voxel: [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]],
        };
        let volume = Volume::new(dimensions, geometry, vec![7; dimensions.len()]).unwrap();
        let place = PlanePlace {
            origin_mm: [0.0; 3],
            right_mm: [1.0, 0.0, 0.0],
            down_mm: [0.0, 1.0, 0.0],
            columns: 8,
            rows: 8,
        };
        let request = Reformat::plane(&place, 1.0, Projection::Average).unwrap();
        let found = reformat(processor, &volume, &request, &mut |_| ControlFlow::Continue(())).unwrap();
        found.values.iter().filter(|value| **value == 7).count()
    }
}

#[tokio::test]
async fn a_job_has_its_own_note_whatever_is_announced_by_the_time_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let compute = started(Wish::Gpu, &folder);
    compute.ready().await.expect("mesa-vulkan-drivers");
    // More than a slab of any device: 288 MB.
    let large = compute.run(Rank::Ordinary, cut(12_000)).await.unwrap();
    let small = compute.run(Rank::Ordinary, cut(32)).await.unwrap();
    assert_eq!((large.answer, small.answer), (64, 64));
    let note = large.by.degraded.expect("no device binds it");
    assert!(note.contains("twin"), "{note}");
    assert_eq!(small.by.degraded, None);
    assert_eq!(compute.info().unwrap().unwrap().degraded, None);
}
