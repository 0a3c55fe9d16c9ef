//! The box beside the scanner.

pub mod clock;
pub mod dimse;
pub mod intake;
pub mod part10;
pub mod stop;
pub mod store;
pub mod uid;
