//! Real peers around the box: the box itself, dcmtk's tools, a broker, a browser. Each is a child process with a
//! handle: started on a port it chose itself, watched for an early end, its streams kept in files, ended when the
//! handle goes out of scope. After a failed test the folder with all of it is kept and its path printed.
//!
//! A peer that is not installed fails the test with the package to install; nothing is skipped silently.

pub mod api;
pub mod appliance;
pub mod association;
pub mod broker;
pub mod browser;
pub mod dcmtk;
pub mod gate;
pub mod message;
pub mod orthanc;
pub mod part10;
pub mod patience;
pub mod process;
pub mod provider;
pub mod python;
pub mod scratch;
pub mod validators;
