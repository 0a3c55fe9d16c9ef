//! Who this box is and where it stands.
//!
//! The only reader of the site file and of keys. Everything the rooms may know arrives as plain values:
//! each room gets its own struct, nobody gets the path. Does not open sockets, does not know DICOM.

pub mod archive;
pub mod calcium;
pub mod dicom;
pub mod identity;
pub mod keeping;
pub mod lab;
pub mod models;
pub mod network;
pub mod site;
pub mod tls;

pub use identity::Identity;
pub use site::Site;
