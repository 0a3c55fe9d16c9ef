//! The demonstration: one calcium patient from scanner to screen.
fn main() {}
