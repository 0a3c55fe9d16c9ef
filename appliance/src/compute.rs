//! The one thread kernels run on: two inboxes of one, one processor, turns in order.
//!
//! Not a room: analysis sends it jobs, the viewer's pictures send it frames. The processor is opened and probed on
//! this thread, after the DICOM door is open; whoever sends work earlier waits. Frames follow somebody's hand, so they
//! are drawn before the next job and, while a job runs, between its turns, as `shares` has it; nothing waits for ever.
//!
//! ```text
//! frames --inbox of one--+--> before a job, or between two turns of one --> answer
//! jobs ----inbox of one--+--> turn | turn | turn ... ----------------------> answer, and who did it
//! ```
//! A frame never lets another in: it is lent the processor, never the [`Turns`].

mod kept;
mod shares;
mod thread;
mod turns;

use std::path::Path;
use std::sync::Arc;
use std::thread::{JoinHandle, Thread};

use sidelight_kernels::{Processor, ProcessorKind, Wish};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
pub use kept::KeptKernels;
pub use shares::Rank;
use thread::{Answer, Desk, Frame, Job};
pub use turns::Turns;

/// Where kernels run, and why there.
#[derive(Clone, Debug)]
pub struct ProcessorInfo {
    pub kind: ProcessorKind,
    pub name: String,
    pub reason: String,
    /// What the GPU did not do, in a sentence: since it was lost, or what it had no room for. Announced, that is in the
    /// last job or frame; of a [`Done`], in that job.
    pub degraded: Option<String>,
}

impl ProcessorInfo {
    fn of(processor: &Processor, notes: &[Option<&str>]) -> Self {
        let said: Vec<&str> =
            [processor.degraded()].into_iter().chain(notes.iter().copied()).flatten().collect();
        Self {
            kind: processor.kind(),
            name: processor.name().to_owned(),
            reason: processor.reason().to_owned(),
            degraded: (!said.is_empty()).then(|| said.join("; ")),
        }
    }
}

/// What a job answered, and who did it: others may have run before anybody reads this.
#[derive(Clone, Debug)]
pub struct Done<T> {
    pub answer: T,
    pub by: ProcessorInfo,
}

/// The thread is gone: no processor came up, or a kernel panicked.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no processor to compute on: {0}")]
pub struct NoProcessor(String);

/// `None` while the boot probe runs.
type Announced = Option<Result<ProcessorInfo, NoProcessor>>;

/// A sender of work; cheap to clone.
#[derive(Clone)]
pub struct Compute {
    frames: mpsc::Sender<Frame>,
    jobs: mpsc::Sender<Job>,
    // Behind the senders: dropped after them, so the thread it wakes finds them gone.
    bell: Arc<Bell>,
    info: watch::Receiver<Announced>,
}

impl std::fmt::Debug for Compute {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Compute").field("info", &self.info).finish_non_exhaustive()
    }
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
    let desk = Desk::new(frames_out, jobs_out, announce, clock);
    let kept = KeptKernels::of(data_dir);
    let thread = std::thread::Builder::new().name("compute".into()).spawn(move || desk.work(wish, kept))?;
    let bell = Arc::new(Bell(thread.thread().clone()));
    Ok((Compute { frames, jobs, bell, info }, thread))
}

impl Compute {
    /// Runs a job on the processor after every job sent before it. Frames are drawn wherever it lets them in.
    pub async fn run<T: Send + 'static>(
        &self,
        rank: Rank,
        work: impl FnOnce(&mut Processor, &mut Turns<'_>) -> T + Send + 'static,
    ) -> Result<Done<T>, NoProcessor> {
        let (answer, answered) = oneshot::channel();
        let span = tracing::Span::current();
        let job = Box::new(move |processor: &mut Processor, turns: &mut Turns<'_>| {
            handed(answer, span.in_scope(|| work(processor, turns)))
        });
        self.sent(self.jobs.send((rank, job)).await.is_ok(), answered).await
    }

    /// Runs a turn of what somebody is looking at: about 30 ms, before the next job or the next turn of one.
    pub async fn run_frame<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Processor) -> T + Send + 'static,
    ) -> Result<T, NoProcessor> {
        let (answer, answered) = oneshot::channel();
        let span = tracing::Span::current();
        let frame =
            Box::new(move |processor: &mut Processor| handed(answer, span.in_scope(|| work(processor))));
        self.sent(self.frames.send(frame).await.is_ok(), answered).await.map(|done| done.answer)
    }

    async fn sent<T>(
        &self,
        sent: bool,
        answered: oneshot::Receiver<Done<T>>,
    ) -> Result<Done<T>, NoProcessor> {
        let gone = || {
            let panicked = "a kernel panicked; the log of the compute thread says where";
            self.info().and_then(Result::err).unwrap_or_else(|| NoProcessor(panicked.into()))
        };
        if !sent {
            return Err(gone());
        }
        self.bell.0.unpark();
        answered.await.map_err(|_| gone())
    }

    /// `None` while the boot probe runs.
    pub fn info(&self) -> Announced {
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

/// Hands the answer over once it is known who did the work.
fn handed<T: Send + 'static>(asker: oneshot::Sender<Done<T>>, answer: T) -> Answer {
    Box::new(move |by| {
        // Nobody waiting any more: the asker was stopped.
        let _ = asker.send(Done { answer, by });
    })
}

#[cfg(test)]
mod tests;
