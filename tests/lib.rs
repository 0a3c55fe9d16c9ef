//! What the scenarios and the demo share: real peers around the box, and synthetic patients with known truth.
//!
//! The box is reached only as its users reach it: its command line, DICOM, HTTP, MQTT. Nothing here links the
//! appliance, so a scenario cannot pass because it knows an inside the user does not have.

pub mod peers;
pub mod phantoms;
