//! Has the kernels draw a task, turn by turn, as frames.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sidelight_kernels::rendering::{GreyTable, OUTSIDE, RenderError, Window, reformat, render};

use super::request::{Task, error_of};
use super::scenes::Shown;
use crate::compute::Compute;
use crate::imaging::Rendered;
use crate::viewer::error::ApiError;

/// Tells a picture that is being drawn that nobody wants it any more.
#[derive(Clone, Debug, Default)]
pub(in crate::viewer) struct Overtaken(Arc<AtomicBool>);

impl Overtaken {
    pub(in crate::viewer) fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn checkpoint(&self) -> ControlFlow<()> {
        if self.0.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Dropping what waits for a picture ends its drawing too: the client went away.
#[derive(Debug)]
struct TellOnDrop(Overtaken);

impl Drop for TellOnDrop {
    fn drop(&mut self) {
        self.0.tell();
    }
}

/// `None` when it was overtaken.
pub(in crate::viewer) async fn draw(
    compute: &Compute,
    shown: &Shown,
    task: Task,
    overtaken: &Overtaken,
) -> Result<Option<Rendered>, ApiError> {
    let (shown, watched) = (shown.clone(), overtaken.clone());
    let _told = TellOnDrop(overtaken.clone());
    let drawn = compute.run_frame(move |processor| {
        let mut checkpoint = |_| watched.checkpoint();
        checkpoint(0.0).is_continue().then_some(()).ok_or(RenderError::Cancelled)?;
        match task {
            Task::Render(view) => {
                let image = render(processor, &shown.scene, &view, &mut checkpoint)?;
                let samples =
                    image.rgba.iter().flat_map(|[red, green, blue, _]| [*red, *green, *blue]).collect();
                Ok(Rendered { columns: image.width, rows: image.height, channels: 3, samples })
            }
            Task::Cut { slab, window } => {
                let slice = reformat(processor, shown.scene.volume(), &slab, &mut checkpoint)?;
                let samples = grey(&slice.values, window);
                Ok(Rendered { columns: slice.columns, rows: slice.rows, channels: 1, samples })
            }
        }
    });
    match drawn.await {
        Ok(Ok(picture)) => Ok(Some(picture)),
        Ok(Err(RenderError::Cancelled)) => Ok(None),
        Ok(Err(error)) => Err(error_of(&error)),
        Err(error) => Err(ApiError::internal(&error)),
    }
}

/// Outside the volume it is black, whatever the window.
fn grey(values: &[i16], window: Window) -> Vec<u8> {
    let table = GreyTable::window(window, false);
    values.iter().map(|value| if *value == OUTSIDE { 0 } else { table.level(*value) }).collect()
}
