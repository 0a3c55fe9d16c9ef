//! The only file that knows every room: binds all doors, opens the store, starts the rooms.

mod delivery;
pub mod networks;

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use serde::Serialize;
use sidelight_kernels::Wish;
use sidelight_provisioning::Identity;
use sidelight_provisioning::site::{ProcessorWish, Site};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::analysis::{self, Analysis};
use crate::audit::{Event, Kind, Outcome, Who};
use crate::clock::{Clock, Timestamp};
use crate::disk::Room;
use crate::inference::Machines;
use crate::pulse::Pulse;
use crate::run::Ended;
use crate::stop::Stop;
use crate::store::{OpenReport, Store, StoreError};
use crate::supervise::keep_running;
use crate::{compute, inference, intake, results, service, viewer};

/// The line a script waits for.
#[derive(Debug, Serialize)]
pub struct Ready {
    pub ready: bool,
    pub dicom: String,
    /// The TLS door, where the site has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dicom_tls: Option<String>,
    pub http: String,
    pub ae_title: String,
    pub token: String,
}

/// What every room is given.
struct House<'a> {
    site: &'a Site,
    identity: &'a Identity,
    store: Store,
    room: Room,
    clock: Clock,
    stop: &'a Stop,
}

/// Brings the box up. Doors are bound before anything is said to be ready; the DICOM door opens before the GPU's probe.
pub async fn wire(
    site: &Site,
    identity: &Identity,
    clock: Clock,
    stop: &Stop,
    rooms: &mut JoinSet<Ended>,
) -> anyhow::Result<Ready> {
    let (folder, at) = (site.data_dir.clone(), clock.wall());
    let destinations: Vec<String> = site.destinations.iter().map(|known| known.name.clone()).collect();
    let (store, report) = tokio::task::spawn_blocking(move || open(&folder, &destinations, at)).await??;
    tracing::info!(rebuilt = report.rebuilt, indexed = report.instances_indexed, "store open");
    audit_start(&store, site, clock).await?;
    let dicom = bind("dicom.listen", site.dicom.listen).await?;
    let dicom_tls = match site.dicom.tls_listen {
        Some(address) => Some(bind("dicom.tls_listen", address).await?),
        None => None,
    };
    let http = bind("viewer.listen", site.viewer.listen).await?;
    let ready = Ready {
        ready: true,
        dicom: dicom.local_addr()?.to_string(),
        dicom_tls: dicom_tls.as_ref().map(|door| door.local_addr().map(|at| at.to_string())).transpose()?,
        http: format!("http://{}", http.local_addr()?),
        ae_title: site.dicom.ae_title.clone(),
        token: identity.token().to_owned(),
    };
    let room = Room::new(store.folder(), site.dicom.disk_reserve_bytes);
    let house = House { site, identity, store, room, clock, stop };
    let dicom_port = dicom.local_addr()?.port();
    house.intake(intake::Doors { plain: dicom, tls: dicom_tls }, rooms)?;
    let (compute, _thread) =
        compute::start(wish(site.processor), &site.data_dir, clock).context("no thread for the kernels")?;
    let (inference, _thread) =
        inference::start(networks::config(site)?).context("no thread for the networks")?;
    let pulse = Pulse::new("analysis", clock.now());
    let machines = Machines { compute, inference };
    house.analysis(&machines, &pulse, rooms);
    house.results(rooms);
    house.delivery(rooms)?;
    house.viewer(http, dicom_port, machines, rooms);
    rooms.spawn({
        let (store, stop) = (house.store.clone(), stop.clone());
        async move {
            ("service", {
                service::run(vec![pulse], store, clock, stop).await;
                Ok(())
            })
        }
    });
    Ok(ready)
}

/// A destination gets what arrives after it was first named: that is noted before any door is open.
fn open(folder: &Path, destinations: &[String], at: Timestamp) -> Result<(Store, OpenReport), StoreError> {
    let (store, report) = Store::open(folder)?;
    store.read_catalogue()?;
    destinations.iter().try_for_each(|name| store.know_destination(name, at))?;
    Ok((store, report))
}

/// The configuration this start goes by, for whoever asks later what the box was told to do.
async fn audit_start(store: &Store, site: &Site, clock: Clock) -> anyhow::Result<()> {
    let (audit, at) = (store.audit().clone(), clock.wall());
    let what = format!("version {}; {}", env!("CARGO_PKG_VERSION"), site.in_short());
    let event = Event::new(Kind::Start, Outcome::Success, Who::this_box()).because(what);
    Ok(tokio::task::spawn_blocking(move || audit.record(&event, at)).await??)
}

async fn bind(key: &str, address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{key}: cannot listen on {address}; is another box running there?"))
}

fn wish(wish: ProcessorWish) -> Wish {
    match wish {
        ProcessorWish::Auto => Wish::Auto,
        ProcessorWish::Gpu => Wish::Gpu,
        ProcessorWish::Twin => Wish::Twin,
    }
}

impl House<'_> {
    fn intake(&self, doors: intake::Doors, rooms: &mut JoinSet<Ended>) -> anyhow::Result<()> {
        let config = intake::Config::of(self.site).context("the TLS door of [dicom]")?;
        let room =
            intake::run(doors, config, self.store.clone(), self.room.clone(), self.clock, self.stop.clone());
        rooms.spawn(async move { ("intake", room.await.map_err(Into::into)) });
        Ok(())
    }

    fn analysis(&self, machines: &Machines, pulse: &Pulse, rooms: &mut JoinSet<Ended>) {
        let config = analysis::Config {
            study_quiet: Duration::from_secs(self.site.analysis.study_quiet_s),
            structures: self.site.analysis.structures,
            calcium: self.site.calcium.clone(),
        };
        let (store, machines, identity) = (self.store.clone(), machines.clone(), self.identity.clone());
        let (clock, stop, pulse) = (self.clock, self.stop.clone(), pulse.clone());
        let supervised = keep_running("analysis", clock, stop.clone(), move || {
            let (config, store, machines) = (config.clone(), store.clone(), machines.clone());
            Analysis::new(config, store, machines, identity.clone(), clock, stop.clone(), pulse.clone()).run()
        });
        rooms.spawn(async move {
            ("analysis", {
                supervised.await;
                Ok(())
            })
        });
    }

    fn results(&self, rooms: &mut JoinSet<Ended>) {
        let (maker, clock) = (results::Maker::of(self.site), self.clock);
        let room =
            results::Results { store: self.store.clone(), identity: self.identity.clone(), maker, clock };
        let stop = self.stop.clone();
        let supervised = keep_running("results", self.clock, stop.clone(), move || {
            results::run(room.clone(), stop.clone())
        });
        rooms.spawn(async move {
            ("results", {
                supervised.await;
                Ok(())
            })
        });
    }

    fn viewer(&self, listener: TcpListener, dicom_port: u16, machines: Machines, rooms: &mut JoinSet<Ended>) {
        let config = viewer::Config {
            site: self.site.site.clone(),
            device: self.site.device.clone(),
            ae_title: self.site.dicom.ae_title.clone(),
            dicom_port,
            broker_configured: self.site.broker.is_some(),
            started_at: self.clock.wall(),
            destinations: self.destinations(),
            keeping: viewer::KeepingConfig {
                quota_bytes: self.site.retention.quota_bytes,
                reserve_bytes: self.site.dicom.disk_reserve_bytes,
                this_box_is_the_archive: self.site.archive.this_box_is_the_archive,
            },
        };
        let (store, identity, stop) = (self.store.clone(), self.identity.clone(), self.stop.clone());
        let desk = viewer::Desk::new(config, store, self.room.clone(), machines, identity, self.clock, stop);
        rooms.spawn(async move { ("viewer", viewer::run(listener, desk).await.map_err(Into::into)) });
    }
}
