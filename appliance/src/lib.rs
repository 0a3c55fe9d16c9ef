//! The box beside the scanner.

pub mod analysis;
pub mod audit;
pub mod clock;
pub mod compute;
pub mod dimse;
pub mod disk;
pub mod imaging;
pub mod inference;
pub mod intake;
pub mod outbox;
pub mod part10;
pub mod pulse;
pub mod rescore;
pub mod results;
pub mod retention;
pub mod run;
pub mod service;
pub mod short_axis;
pub mod stop;
pub mod store;
pub mod supervise;
pub mod uid;
pub mod ventricle;
pub mod viewer;
pub mod wiring;
