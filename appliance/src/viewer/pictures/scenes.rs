//! Volumes that readers look at, decoded once and kept while there is room.

use std::sync::Arc;

use axum::http::StatusCode;
use sidelight_kernels::rendering::{Scene, Window};

use super::overlay::{Overlay, Shade};
use crate::imaging::{Meaning, Stack, StackError, volume};
use crate::uid::SeriesUid;
use crate::viewer::error::ApiError;

/// Bytes of voxels kept: two volumes of 512 x 512 x 1024. A larger one is not drawn. Without a GPU the twin's own copy of
/// each volume it has drawn, a third larger, counts as well.
const BYTES_MAX: u64 = 1 << 30;

/// A scene and how it is shown where nobody says otherwise.
#[derive(Clone, Debug)]
pub(in crate::viewer) struct Shown {
    pub scene: Arc<Scene>,
    pub window: Window,
    pub hounsfield: bool,
    /// Labels that lie over it, by name.
    pub legend: Arc<[Shade]>,
}

impl Shown {
    /// The same volume with labels over it.
    pub(super) fn with(&self, over: Overlay) -> Result<Self, ApiError> {
        let scene = self.scene.labelled(over.labels).map_err(|error| ApiError::internal(&error))?;
        Ok(Self { scene: Arc::new(scene), legend: over.legend.into(), ..self.clone() })
    }
}

/// Scenes, newest first.
#[derive(Debug, Default)]
pub(super) struct Scenes(tokio::sync::Mutex<Kept>);

impl Scenes {
    pub(super) async fn lock(&self) -> tokio::sync::MutexGuard<'_, Kept> {
        self.0.lock().await
    }
}

#[derive(Debug, Default)]
pub(super) struct Kept(Vec<(SeriesUid, u64, Shown)>);

impl Kept {
    /// The scene of a series as it is now, which thereby is the newest.
    pub(super) fn get(&mut self, series: &SeriesUid, instances: u64) -> Option<Shown> {
        self.0.retain(|(uid, known, _)| uid != series || *known == instances);
        let place = self.0.iter().position(|(uid, _, _)| uid == series)?;
        let entry = self.0.remove(place);
        let shown = entry.2.clone();
        self.0.insert(0, entry);
        Some(shown)
    }

    /// Lets go of the oldest until the stack's volume fits.
    pub(super) fn make_room(&mut self, stack: &Stack) -> Result<(), ApiError> {
        let wanted = 2 * u64::from(stack.columns) * u64::from(stack.rows) * stack.frames.len() as u64;
        if wanted > BYTES_MAX {
            let sentence =
                "the series is too large to be drawn as a volume on this box: at most 1 GiB of voxels";
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, sentence));
        }
        while self.0.iter().map(|(_, _, shown)| shown.scene.volume_bytes()).sum::<u64>() + wanted > BYTES_MAX
        {
            if self.0.pop().is_none() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn keep(&mut self, series: SeriesUid, instances: u64, shown: Shown) {
        self.0.insert(0, (series, instances, shown));
    }
}

/// Decodes a stack and makes it ready. Blocks.
pub(super) fn build(stack: &Stack) -> Result<Shown, ApiError> {
    let volume = Arc::new(volume(stack).map_err(not_drawn)?);
    let scene = Scene::new(volume, None).map_err(|error| ApiError::internal(&error))?;
    let hounsfield = stack.meaning == Meaning::Hounsfield;
    let window = match stack.window {
        Some([center, width]) if width >= 1.0 => Window { center, width },
        _ if hounsfield => Window { center: 40.0, width: 400.0 },
        _ => {
            let (low, high) = (f64::from(*scene.extent().start()), f64::from(*scene.extent().end()));
            Window { center: (low + high) / 2.0, width: (high - low).max(1.0) }
        }
    };
    Ok(Shown { scene: Arc::new(scene), window, hounsfield, legend: Arc::default() })
}

/// A stack that is no volume is so by nature; the reader is told what is missing.
fn not_drawn(error: StackError) -> ApiError {
    let inner = ApiError::from(error);
    if inner.status == StatusCode::UNPROCESSABLE_ENTITY {
        return ApiError::new(
            inner.status,
            format!("this series makes no volume to draw: {}", inner.sentence),
        );
    }
    inner
}
