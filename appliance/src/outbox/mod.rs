//! Outbox delivers what the store promised, once acknowledged, in order, at its own pace: messages to the fleet over
//! MQTT, objects to PACS and archives by C-STORE or STOW-RS.
//!
//! ```text
//! store --promise--> fleet (one message in flight) ----MQTT----> broker
//! store --change---> plan --queue--> store --queue--> destination (a worker each) --C-STORE, STOW-RS--> PACS
//! ```
//!
//! Every destination has its own queue and its own worker, so a dead one delays nobody. It decides nothing about what
//! is true, and never changes a byte of an object: what is sent is the file as it was received.

pub mod destination;
mod dicom;
pub mod fleet;
mod link;
pub mod plan;
mod stow;

use std::time::Duration;

/// Boxes that lost one peer together must not come back together: up to half of the pause on top. The standard
/// library's random hash keys are random enough for that.
fn jittered(pause: Duration) -> Duration {
    let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8);
    pause + pause.mul_f64(f64::from(u8::try_from(seed & 0xFF).expect("eight bits")) / 510.0)
}
