//! Marks from heat.
