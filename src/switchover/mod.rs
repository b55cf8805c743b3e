//! Tools for a team that switches from Django to Wardroom. They are needed once.
//!
//! `django` reads a Django database for the importer. `parity` sends the same requests to the old server and to Wardroom, and
//! compares the responses.

pub mod django;
pub mod parity;
