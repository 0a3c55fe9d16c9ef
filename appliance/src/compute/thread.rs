//! The thread itself: what is next, and what is told afterwards.

use std::time::Instant;

use sidelight_kernels::{Processor, Wish};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, watch};

use super::shares::{Kind, Rank, Shares};
use super::turns::Turns;
use super::{Announced, KeptKernels, NoProcessor, ProcessorInfo};
use crate::clock::Clock;

/// What comes back hands the result to the asker, with who did it.
pub(super) type Answer = Box<dyn FnOnce(ProcessorInfo)>;
/// A picture: it has the processor and nothing else, so it cannot let another in.
pub(super) type Frame = Box<dyn FnOnce(&mut Processor) -> Answer + Send>;
/// A job lets pictures in between its turns.
pub(super) type Job = (Rank, Box<dyn FnOnce(&mut Processor, &mut Turns<'_>) -> Answer + Send>);

/// What lies on the thread's desk.
pub(super) struct Desk {
    pub(super) frames: mpsc::Receiver<Frame>,
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) announce: watch::Sender<Announced>,
    pub(super) clock: Clock,
    pub(super) shares: Shares,
    notes: Notes,
}

enum Work {
    Frame(Frame),
    Job(Job),
}

/// Why the last job and the last frame were not the GPU's. One each: a frame says nothing about the job beside it.
#[derive(Debug, Default)]
struct Notes {
    job: Option<String>,
    frame: Option<String>,
    /// What was announced last.
    told: Option<String>,
}

impl Desk {
    pub(super) fn new(
        frames: mpsc::Receiver<Frame>,
        jobs: mpsc::Receiver<Job>,
        announce: watch::Sender<Announced>,
        clock: Clock,
    ) -> Self {
        Self { frames, jobs, announce, clock, shares: Shares::default(), notes: Notes::default() }
    }

    /// Opens the processor and works until nobody is left to send work.
    pub(super) fn work(mut self, wish: Wish, mut kept: KeptKernels) {
        let mut processor = match Processor::open_with(wish, &kept.read()) {
            Ok(processor) => processor,
            Err(error) => {
                tracing::error!(%error, "no processor");
                self.announce.send_replace(Some(Err(NoProcessor(error.to_string()))));
                return;
            }
        };
        let info = ProcessorInfo::of(&processor, &[]);
        tracing::info!(name = info.name, reason = info.reason, "kernels run here");
        self.notes.told.clone_from(&info.degraded);
        self.announce.send_replace(Some(Ok(info)));
        kept.keep(&processor);
        while let Some(work) = self.next() {
            match work {
                Work::Frame(frame) => self.draw(frame, &mut processor, false),
                Work::Job(job) => self.run(job, &mut processor),
            }
            if self.frames.is_empty() && self.jobs.is_empty() {
                kept.keep(&processor);
            }
        }
    }

    /// Waits for work; `None` when none will come any more.
    fn next(&mut self) -> Option<Work> {
        loop {
            let order = match self.shares.owed() {
                Kind::Frame => [Kind::Frame, Kind::Job],
                Kind::Job => [Kind::Job, Kind::Frame],
            };
            let mut gone = 0;
            for kind in order {
                let work = match kind {
                    Kind::Frame => self.frames.try_recv().map(Work::Frame),
                    Kind::Job => self.jobs.try_recv().map(Work::Job),
                };
                match work {
                    Ok(work) => return Some(work),
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

    fn run(&mut self, (rank, job): Job, processor: &mut Processor) {
        self.shares.job_begins(rank);
        let mut turns = Turns::new(self);
        let answer = job(processor, &mut turns);
        let begun = turns.begun();
        self.turn_ends(begun);
        let note = processor.take_passed_over();
        let by = ProcessorInfo::of(processor, &[note.as_deref()]);
        self.notes.job = note;
        self.announce(processor);
        // Whoever waits for the result finds the note about it.
        answer(by);
    }

    /// Draws a picture, while a job waits between two turns or perhaps in the inbox.
    fn draw(&mut self, frame: Frame, processor: &mut Processor, within_job: bool) {
        let begun = self.clock.now();
        let answer = frame(processor);
        let took = self.clock.now().saturating_duration_since(begun);
        self.shares.frame_took(took, within_job || !self.jobs.is_empty());
        let note = processor.take_passed_over();
        let by = ProcessorInfo::of(processor, &[note.as_deref()]);
        self.notes.frame = note;
        self.announce(processor);
        answer(by);
    }

    fn turn_ends(&mut self, begun: Instant) {
        self.shares.job_took(self.clock.now().saturating_duration_since(begun));
    }

    /// Draws what waits, as long as it is the turn of pictures. The job's turn began at `begun`.
    pub(super) fn between(&mut self, processor: &mut Processor, begun: Instant) {
        self.turn_ends(begun);
        while self.shares.owed() == Kind::Frame {
            let Ok(frame) = self.frames.try_recv() else { return };
            self.draw(frame, processor, true);
        }
    }

    /// Tells the box what changed.
    fn announce(&mut self, processor: &Processor) {
        let notes = [self.notes.job.as_deref(), self.notes.frame.as_deref()];
        let info = ProcessorInfo::of(processor, &notes);
        if info.degraded == self.notes.told {
            return;
        }
        self.notes.told.clone_from(&info.degraded);
        match &info.degraded {
            Some(what) => tracing::warn!(name = info.name, what, "not all work is the GPU's"),
            None => tracing::info!(name = info.name, "the GPU does all work again"),
        }
        self.announce.send_replace(Some(Ok(info)));
    }
}
