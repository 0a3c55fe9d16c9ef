//! One file per promise to the user, all modules of one target.

// What scenarios share.
mod patients;
mod small_ct;
mod sources;
mod studies;

// The promises.
mod access;
mod arrives_and_is_scored;
mod bad_objects;
mod dicomweb;
mod dicomweb_real_data;
mod doctor_tells;
mod heart_region;
mod latency;
mod layers;
mod messages_wait;
mod not_applicable;
mod peers_can_be_trusted;
mod stops_cleanly;
mod stored_bit_exact_real_data;
mod survives_kill;
mod tidy;
mod two_associations;
mod viewer_shows_the_score;
