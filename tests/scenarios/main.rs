//! One file per promise to the user, all modules of one target.

#![expect(clippy::unwrap_used, reason = "a scenario stops where it cannot go on")]

// What scenarios share.
mod destinations;
mod patients;
mod short_axis;
mod small_ct;
mod sources;
mod studies;

// The promises.
mod access;
mod archive_calls_back;
mod arrives_and_is_scored;
mod audit;
mod bad_objects;
mod box_pages;
mod calcium_policy;
mod calcium_vessels;
mod cine_real_data;
mod commitment;
mod dicom_tls;
mod dicomweb;
mod dicomweb_clients;
mod dicomweb_real_data;
mod disk_full;
mod doctor_tells;
mod forwarding;
mod heart_region;
mod identity_conflict;
mod latency;
mod layers;
mod ledger;
mod mammography;
mod mammography_on_the_page;
mod messages_wait;
mod misbehaving_peers;
mod mpps;
mod networks;
mod nodules;
mod not_applicable;
mod orthanc;
mod peers_can_be_trusted;
mod perfusion;
mod perfusion_on_the_page;
mod rendered_view;
mod results_follow;
mod results_leave;
mod results_on_the_page;
mod retention;
mod runs;
mod segmentation;
mod stops_cleanly;
mod stored_bit_exact_real_data;
mod structures;
mod survives_every_kill;
mod survives_kill;
mod tidy;
mod two_associations;
mod ventricle_contours;
mod ventricle_results;
mod viewer_shows_the_score;
mod volume_tools;
