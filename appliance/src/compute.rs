//! The one thread kernels run on: an inbox of one, one processor, turns in order.
//!
//! Not a room: analysis and (later) the viewer's renderer send it work. The processor is opened and probed on this
//! thread, after the DICOM door is open; whoever sends work earlier waits.

use std::thread::JoinHandle;

use sidelight_kernels::{Processor, ProcessorKind, Wish};
use tokio::sync::{mpsc, oneshot, watch};

type Work = Box<dyn FnOnce(&mut Processor) + Send>;

/// Where kernels run, and why there.
#[derive(Clone, Debug)]
pub struct ProcessorInfo {
    pub kind: ProcessorKind,
    pub name: String,
    pub reason: String,
    /// What happened to the GPU since the box started, in a sentence.
    pub degraded: Option<String>,
}

impl ProcessorInfo {
    fn of(processor: &Processor) -> Self {
        Self {
            kind: processor.kind(),
            name: processor.name().to_owned(),
            reason: processor.reason().to_owned(),
            degraded: processor.degraded().map(str::to_owned),
        }
    }
}

/// The thread is gone: no processor came up, or a kernel panicked.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no processor to compute on: {0}")]
pub struct NoProcessor(String);

/// A sender of work; cheap to clone.
#[derive(Clone, Debug)]
pub struct Compute {
    inbox: mpsc::Sender<Work>,
    info: watch::Receiver<Option<Result<ProcessorInfo, NoProcessor>>>,
}

/// Starts the thread. It ends when the last `Compute` is dropped.
pub fn start(wish: Wish) -> std::io::Result<(Compute, JoinHandle<()>)> {
    let (inbox, outbox) = mpsc::channel(1);
    let (announce, info) = watch::channel(None);
    let thread =
        std::thread::Builder::new().name("compute".into()).spawn(move || work(wish, outbox, &announce))?;
    Ok((Compute { inbox, info }, thread))
}

fn work(
    wish: Wish,
    mut outbox: mpsc::Receiver<Work>,
    announce: &watch::Sender<Option<Result<ProcessorInfo, NoProcessor>>>,
) {
    let mut processor = match Processor::open(wish) {
        Ok(processor) => processor,
        Err(error) => {
            tracing::error!(%error, "no processor");
            announce.send_replace(Some(Err(NoProcessor(error.to_string()))));
            return;
        }
    };
    let info = ProcessorInfo::of(&processor);
    tracing::info!(name = info.name, reason = info.reason, "kernels run here");
    let mut degraded = info.degraded.clone();
    announce.send_replace(Some(Ok(info)));
    while let Some(work) = outbox.blocking_recv() {
        work(&mut processor);
        if processor.degraded() != degraded.as_deref() {
            let info = ProcessorInfo::of(&processor);
            degraded.clone_from(&info.degraded);
            tracing::warn!(name = info.name, what = info.degraded, "the GPU failed");
            announce.send_replace(Some(Ok(info)));
        }
    }
}

impl Compute {
    /// Runs `work` on the processor after everything sent before it.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Processor) -> T + Send + 'static,
    ) -> Result<T, NoProcessor> {
        let (answer, answered) = oneshot::channel();
        let span = tracing::Span::current();
        let work: Work = Box::new(move |processor| {
            // Nobody waiting any more: the asker was stopped.
            let _ = answer.send(span.in_scope(|| work(processor)));
        });
        let gone = || NoProcessor("a kernel panicked; the log of the compute thread says where".into());
        if self.inbox.send(work).await.is_err() {
            return Err(self.info().and_then(Result::err).unwrap_or_else(gone));
        }
        answered.await.map_err(|_| self.info().and_then(Result::err).unwrap_or_else(gone))
    }

    /// `None` while the boot probe runs.
    pub fn info(&self) -> Option<Result<ProcessorInfo, NoProcessor>> {
        self.info.borrow().clone()
    }

    /// Waits for the boot probe.
    pub async fn ready(&self) -> Result<ProcessorInfo, NoProcessor> {
        let mut info = self.info.clone();
        let gone = || NoProcessor("the compute thread ended during the boot probe".into());
        let known = info.wait_for(Option::is_some).await.map_err(|_| gone())?;
        known.clone().ok_or_else(gone)?
    }
}
