//! The one thread kernels run on: two inboxes of one, one processor, turns in order.
//!
//! Not a room: analysis sends it jobs, the viewer's pictures send it frames. The processor is opened and probed on
//! this thread, after the DICOM door is open; whoever sends work earlier waits. Frames follow somebody's hand, so they
//! overtake jobs, as `shares` has it; nothing waits for ever.

mod kept;
mod shares;

use std::path::Path;
use std::sync::Arc;
use std::thread::{JoinHandle, Thread};

use sidelight_kernels::{Processor, ProcessorKind, Wish};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
pub use kept::KeptKernels;
use shares::{Kind, Shares};

/// Does the work; what comes back hands its result to the asker.
type Work = Box<dyn FnOnce(&mut Processor) -> Answer + Send>;
type Answer = Box<dyn FnOnce()>;

/// Where kernels run, and why there.
#[derive(Clone, Debug)]
pub struct ProcessorInfo {
    pub kind: ProcessorKind,
    pub name: String,
    pub reason: String,
    /// What the GPU did not do, in a sentence: since it was lost, or in the last job or frame, which had no room there.
    pub degraded: Option<String>,
}

impl ProcessorInfo {
    fn of(processor: &Processor, notes: &Notes) -> Self {
        Self {
            kind: processor.kind(),
            name: processor.name().to_owned(),
            reason: processor.reason().to_owned(),
            degraded: notes.sentence(processor),
        }
    }
}

/// Why the last job and the last frame were not the GPU's. One each: a frame says nothing about the job beside it.
#[derive(Debug, Default)]
struct Notes {
    job: Option<String>,
    frame: Option<String>,
}

impl Notes {
    fn done(&mut self, kind: Kind, processor: &mut Processor) {
        let note = match kind {
            Kind::Job => &mut self.job,
            Kind::Frame => &mut self.frame,
        };
        *note = processor.take_passed_over();
    }

    fn sentence(&self, processor: &Processor) -> Option<String> {
        let said = [processor.degraded(), self.job.as_deref(), self.frame.as_deref()];
        let said: Vec<&str> = said.into_iter().flatten().collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// The thread is gone: no processor came up, or a kernel panicked.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no processor to compute on: {0}")]
pub struct NoProcessor(String);

/// A sender of work; cheap to clone.
#[derive(Clone, Debug)]
pub struct Compute {
    frames: mpsc::Sender<Work>,
    jobs: mpsc::Sender<Work>,
    // Behind the senders: dropped after them, so the thread it wakes finds them gone.
    bell: Arc<Bell>,
    info: watch::Receiver<Option<Result<ProcessorInfo, NoProcessor>>>,
}

/// Wakes the thread, also when nobody is left to send it work.
#[derive(Debug)]
struct Bell(Thread);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.unpark();
    }
}

/// Starts the thread. It ends when the last `Compute` is dropped. Compiled kernels are kept below `data_dir`.
pub fn start(wish: Wish, data_dir: &Path, clock: Clock) -> std::io::Result<(Compute, JoinHandle<()>)> {
    let (frames, frames_out) = mpsc::channel(1);
    let (jobs, jobs_out) = mpsc::channel(1);
    let (announce, info) = watch::channel(None);
    let inboxes = Inboxes { frames: frames_out, jobs: jobs_out };
    let kept = KeptKernels::of(data_dir);
    let thread = std::thread::Builder::new()
        .name("compute".into())
        .spawn(move || work(wish, kept, clock, inboxes, &announce))?;
    let bell = Arc::new(Bell(thread.thread().clone()));
    Ok((Compute { frames, jobs, bell, info }, thread))
}

struct Inboxes {
    frames: mpsc::Receiver<Work>,
    jobs: mpsc::Receiver<Work>,
}

fn work(
    wish: Wish,
    mut kept: KeptKernels,
    clock: Clock,
    mut inboxes: Inboxes,
    announce: &watch::Sender<Option<Result<ProcessorInfo, NoProcessor>>>,
) {
    let mut processor = match Processor::open_with(wish, &kept.read()) {
        Ok(processor) => processor,
        Err(error) => {
            tracing::error!(%error, "no processor");
            announce.send_replace(Some(Err(NoProcessor(error.to_string()))));
            return;
        }
    };
    let mut notes = Notes::default();
    let info = ProcessorInfo::of(&processor, &notes);
    tracing::info!(name = info.name, reason = info.reason, "kernels run here");
    let mut degraded = info.degraded.clone();
    announce.send_replace(Some(Ok(info)));
    kept.keep(&processor);
    let mut shares = Shares::default();
    while let Some((kind, work)) = inboxes.next(&shares) {
        let begun = clock.now();
        let answer = work(&mut processor);
        let took = clock.now().saturating_duration_since(begun);
        match kind {
            Kind::Frame => shares.frame_took(took, !inboxes.jobs.is_empty()),
            Kind::Job => shares.job_took(took),
        }
        notes.done(kind, &mut processor);
        let info = ProcessorInfo::of(&processor, &notes);
        if info.degraded != degraded {
            degraded.clone_from(&info.degraded);
            match &degraded {
                Some(what) => tracing::warn!(name = info.name, what, "not all work is the GPU's"),
                None => tracing::info!(name = info.name, "the GPU does all work again"),
            }
            announce.send_replace(Some(Ok(info)));
        }
        // Whoever waits for the result finds the note about it.
        answer();
        if inboxes.frames.is_empty() && inboxes.jobs.is_empty() {
            kept.keep(&processor);
        }
    }
}

impl Inboxes {
    /// Waits for work; `None` when none will come any more.
    fn next(&mut self, shares: &Shares) -> Option<(Kind, Work)> {
        loop {
            let order = if shares.owed() == Kind::Frame {
                [Kind::Frame, Kind::Job]
            } else {
                [Kind::Job, Kind::Frame]
            };
            let mut gone = 0;
            for kind in order {
                let inbox = match kind {
                    Kind::Frame => &mut self.frames,
                    Kind::Job => &mut self.jobs,
                };
                match inbox.try_recv() {
                    Ok(work) => return Some((kind, work)),
                    Err(TryRecvError::Empty) => {}
                    Err(TryRecvError::Disconnected) => gone += 1,
                }
            }
            if gone == order.len() {
                return None;
            }
            // Whoever sends rings the bell afterwards, and a bell rung before is not forgotten.
            std::thread::park();
        }
    }
}

impl Compute {
    /// Runs a job on the processor after every job sent before it.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Processor) -> T + Send + 'static,
    ) -> Result<T, NoProcessor> {
        self.send(&self.jobs, work).await
    }

    /// Runs a turn of what somebody is looking at: about 30 ms, and before the next job.
    pub async fn run_frame<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Processor) -> T + Send + 'static,
    ) -> Result<T, NoProcessor> {
        self.send(&self.frames, work).await
    }

    async fn send<T: Send + 'static>(
        &self,
        inbox: &mpsc::Sender<Work>,
        work: impl FnOnce(&mut Processor) -> T + Send + 'static,
    ) -> Result<T, NoProcessor> {
        let (answer, answered) = oneshot::channel();
        let span = tracing::Span::current();
        let work: Work = Box::new(move |processor| {
            let done = span.in_scope(|| work(processor));
            Box::new(move || {
                // Nobody waiting any more: the asker was stopped.
                let _ = answer.send(done);
            })
        });
        let gone = || NoProcessor("a kernel panicked; the log of the compute thread says where".into());
        if inbox.send(work).await.is_err() {
            return Err(self.info().and_then(Result::err).unwrap_or_else(gone));
        }
        self.bell.0.unpark();
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
