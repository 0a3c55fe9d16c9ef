//! The life of the box: bind the doors, start the rooms, say ready, wait, stop in order and in time.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use sidelight_provisioning::{Identity, Site};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::stop::{self, Stopper};
use crate::{service, wiring};

/// Shorter than systemd's TimeoutStopSec of 90 s: we name the laggard ourselves.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// How a room ended: its name and what it said.
pub type Ended = (&'static str, anyhow::Result<()>);

/// Serves the site until SIGTERM or SIGINT; a second signal ends the process at once.
pub async fn serve(site_file: &Path) -> anyhow::Result<()> {
    let site = Site::read(site_file)?;
    let identity = Identity::read(&site.keys_dir)?;
    let clock = Clock;
    let (stopper, stop) = stop::channel();
    let mut rooms = JoinSet::new();
    let ready = wiring::wire(&site, &identity, clock, &stop, &mut rooms).await?;
    let mut signals = Signals::listen()?;
    announce(&ready)?;
    service::ready();
    let outcome = tokio::select! {
        () = signals.next() => Ok(()),
        ended = rooms.join_next() => fatal(ended),
    };
    drain(&stopper, rooms, &mut signals).await;
    outcome
}

/// A room that ends before the box does takes the box with it; systemd starts it again.
fn fatal(ended: Option<Result<Ended, tokio::task::JoinError>>) -> anyhow::Result<()> {
    match ended {
        Some(Ok((room, Err(error)))) => Err(error).with_context(|| format!("room {room}")),
        Some(Ok((room, Ok(())))) => anyhow::bail!("room {room} ended by itself"),
        Some(Err(error)) => Err(error).context("a room panicked"),
        None => anyhow::bail!("no room was started"),
    }
}

async fn drain(stopper: &Stopper, mut rooms: JoinSet<Ended>, signals: &mut Signals) {
    tracing::info!("stopping");
    service::stopping();
    stopper.stop();
    let all = async {
        while let Some(ended) = rooms.join_next().await {
            match ended {
                Ok((room, Ok(()))) => tracing::debug!(room, "stopped"),
                Ok((room, Err(error))) => {
                    tracing::error!(room, error = format!("{error:#}"), "stopped badly");
                }
                Err(error) => tracing::error!(%error, "a room panicked while stopping"),
            }
        }
    };
    tokio::select! {
        () = all => tracing::info!("stopped"),
        () = tokio::time::sleep(STOP_WITHIN) => tracing::error!("rooms did not stop within {} s; leaving", STOP_WITHIN.as_secs()),
        () = signals.next() => tracing::warn!("second signal: leaving at once"),
    }
}

/// One line for scripts (README, "contract for scripts").
#[expect(clippy::print_stdout, reason = "the ready line is the contract with scripts")]
fn announce(ready: &wiring::Ready) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(ready)?);
    Ok(())
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        Ok(Self { terminate, interrupt })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
