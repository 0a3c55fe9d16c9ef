//! One file per promise to the user, all modules of one target.

mod peers_can_be_trusted;
