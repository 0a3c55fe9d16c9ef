//! Real peers around the box, each started, watched and stopped by a handle.
