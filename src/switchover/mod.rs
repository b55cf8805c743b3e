//! Tools for a team that switches from Django to Wardroom. They are needed once.

pub mod parity;
