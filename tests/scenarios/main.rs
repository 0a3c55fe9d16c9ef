//! One file per promise to the user.
