//! Pictures of volumes that the box draws: rendered and reformatted, one at a time over `/dicom-web`
//! (`rendered3D`, `renderedMPR`), or as a stream that follows a hand (`stream`).
//!
//! Both ways draw from the same `Request`, so a still of the stream and the stateless address show the same pixels.
//! Every turn of drawing goes through `Compute` as a frame; pictures are previews, not diagnoses.

pub(in crate::viewer) mod draw;
pub(in crate::viewer) mod encode;
mod overlay;
mod pane;
mod path;
pub(in crate::viewer) mod request;
mod scenes;
pub(in crate::viewer) mod stream;

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::Desk;
use super::error::{ApiError, blocking};
use crate::uid::{SeriesUid, StudyUid};
pub(in crate::viewer) use scenes::Shown;

/// Streams open at once: each may ask for as many pictures as the processor draws.
const PANES_MAX: usize = 8;

/// What is kept between pictures.
#[derive(Debug)]
pub(super) struct Pictures {
    scenes: scenes::Scenes,
    panes: Arc<Semaphore>,
}

impl Default for Pictures {
    fn default() -> Self {
        Self { scenes: scenes::Scenes::default(), panes: Arc::new(Semaphore::new(PANES_MAX)) }
    }
}

impl Desk {
    /// The series as a volume to look at, or why it is none.
    pub(in crate::viewer) async fn scene(
        self: &Arc<Self>,
        study: StudyUid,
        series: SeriesUid,
    ) -> Result<Shown, ApiError> {
        // One at a time: two readers who open the same series decode it once.
        let mut scenes = self.pictures.scenes.lock().await;
        let desk = self.clone();
        let stack = blocking(move || {
            let instances = desk.store.study(&study)?.instances;
            if !desk.store.series(&study)?.iter().any(|(known, _)| *known == series) {
                return Err(ApiError::not_found("series"));
            }
            let stack = desk.stacks.get(&desk.store, &study, &series)?;
            Ok::<_, ApiError>((series, instances, stack))
        });
        let (series, instances, stack) = stack.await?;
        if let Some(shown) = scenes.get(&series, instances) {
            return Ok(shown);
        }
        scenes.make_room(&stack)?;
        let shown = blocking(move || scenes::build(&stack)).await?;
        scenes.keep(series, instances, shown.clone());
        Ok(shown)
    }

    /// The same with what a finding found over it. Kept by its pane only: a byte a voxel for each.
    async fn overlaid(
        self: &Arc<Self>,
        study: StudyUid,
        series: SeriesUid,
        wanted: overlay::Wanted,
    ) -> Result<Shown, ApiError> {
        let shown = self.scene(study.clone(), series.clone()).await?;
        let store = self.store.clone();
        blocking(move || {
            let over = overlay::of(&store, (&study, &series), shown.scene.volume(), &wanted)?;
            over.map_or(Ok(shown.clone()), |over| shown.with(over))
        })
        .await
    }
}
