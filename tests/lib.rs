//! Real peers, synthetic patients and the promises to the user.
