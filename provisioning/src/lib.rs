//! Who this box is.
