//! The primitives that `invalidations` and `follower` are made of. `tests/interleavings` replaces them by those of a model
//! checker.

pub(super) use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
pub(super) use std::sync::{Mutex, PoisonError};
