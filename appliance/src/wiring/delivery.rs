//! What leaves the box and what may leave its disk: the fleet's lane, one worker a destination, and retention.

use anyhow::Context as _;
use sidelight_provisioning::keeping::{Destination, DestinationKind, ResultsWish};
use tokio::task::JoinSet;

use super::House;
use crate::outbox::destination::{self, Way};
use crate::outbox::{fleet, plan};
use crate::retention;
use crate::run::Ended;
use crate::store::ResultsWanted;
use crate::supervise::keep_running;
use crate::viewer;

impl House<'_> {
    pub(super) fn delivery(&self, rooms: &mut JoinSet<Ended>) -> anyhow::Result<()> {
        self.fleet(rooms)?;
        if !self.site.destinations.is_empty() {
            self.plan(rooms);
        }
        for destination in &self.site.destinations {
            self.destination(destination, rooms)?;
        }
        if let Some(quota_bytes) = self.site.retention.quota_bytes {
            self.retention(quota_bytes, rooms);
        }
        Ok(())
    }

    /// What the viewer may say about destinations.
    pub(super) fn destinations(&self) -> Vec<viewer::DestinationConfig> {
        let described = |destination: &Destination| viewer::DestinationConfig {
            name: destination.name.clone(),
            kind: match destination.kind {
                DestinationKind::Dicom => "dicom",
                DestinationKind::Stow => "stow",
            },
            address: destination.address.clone().or(destination.url.clone()).unwrap_or_default(),
            archive: destination.archive,
        };
        self.site.destinations.iter().map(described).collect()
    }

    fn fleet(&self, rooms: &mut JoinSet<Ended>) -> anyhow::Result<()> {
        let Some(broker) = &self.site.broker else { return Ok(()) };
        let (host, port) = broker.host_port().context("broker.url was checked with the site")?;
        let (site, device) = (&self.site.site, &self.site.device);
        let config = fleet::Config {
            host,
            port,
            topic_prefix: format!("sidelight/v1/{site}/{device}"),
            client_id: format!("sidelight-{site}-{device}"),
        };
        let (store, stop) = (self.store.clone(), self.stop.clone());
        let supervised = keep_running("outbox", self.clock, stop.clone(), move || {
            fleet::run(config.clone(), store.clone(), stop.clone())
        });
        spawn("outbox", supervised, rooms);
        Ok(())
    }

    fn plan(&self, rooms: &mut JoinSet<Ended>) {
        let wanted = |destination: &Destination| plan::Wanted {
            destination: destination.name.clone(),
            results: match destination.results {
                ResultsWish::Preliminary => ResultsWanted::Preliminary,
                ResultsWish::Confirmed => ResultsWanted::Confirmed,
                ResultsWish::Never => ResultsWanted::Never,
            },
        };
        let destinations: Vec<_> = self.site.destinations.iter().map(wanted).collect();
        let (store, clock, stop) = (self.store.clone(), self.clock, self.stop.clone());
        let supervised = keep_running("forwarding", clock, stop.clone(), move || {
            plan::run(destinations.clone(), store.clone(), clock, stop.clone())
        });
        spawn("forwarding", supervised, rooms);
    }

    fn destination(&self, destination: &Destination, rooms: &mut JoinSet<Ended>) -> anyhow::Result<()> {
        let checked = "destinations were checked with the site";
        let way = match destination.kind {
            DestinationKind::Dicom => Way::Dicom {
                address: destination.address.clone().context(checked)?,
                called_ae: destination.ae_title.clone().context(checked)?,
                calling_ae: self.site.dicom.ae_title.clone(),
            },
            DestinationKind::Stow => Way::Stow { url: destination.url.clone().context(checked)? },
        };
        let config =
            destination::Config { name: destination.name.clone(), way, archive: destination.archive };
        let (store, clock, stop) = (self.store.clone(), self.clock, self.stop.clone());
        let supervised = keep_running("destination", clock, stop.clone(), move || {
            destination::run(config.clone(), store.clone(), clock, stop.clone())
        });
        spawn("destination", supervised, rooms);
        Ok(())
    }

    fn retention(&self, quota_bytes: u64, rooms: &mut JoinSet<Ended>) {
        let config = retention::Config {
            quota_bytes,
            archives: self.names(|destination| destination.archive),
            destinations: self.names(|_| true),
        };
        let (store, clock, stop) = (self.store.clone(), self.clock, self.stop.clone());
        let supervised = keep_running("retention", clock, stop.clone(), move || {
            retention::run(config.clone(), store.clone(), clock, stop.clone())
        });
        spawn("retention", supervised, rooms);
    }

    fn names(&self, which: impl Fn(&Destination) -> bool) -> Vec<String> {
        let chosen = self.site.destinations.iter().filter(|destination| which(destination));
        chosen.map(|destination| destination.name.clone()).collect()
    }
}

fn spawn(
    name: &'static str,
    supervised: impl Future<Output = ()> + Send + 'static,
    rooms: &mut JoinSet<Ended>,
) {
    rooms.spawn(async move {
        supervised.await;
        (name, Ok(()))
    });
}
