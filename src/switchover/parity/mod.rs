//! Compares an old server with Wardroom: sends both the same requests and finds every difference.
//!
//! `probe` lists the requests, `client` sends them, `difference` compares two responses (with `fields` for JSON,
//! `expected` for intended differences, and `cross_origin` for what browsers let pages do), `tally` counts the differences, and `run` drives the whole. Never in here: a request
//! that could change data, a key in any output, or a database.

pub mod address;
pub mod client;
mod cross_origin;
mod difference;
mod error;
mod expected;
mod fields;
mod finding;
pub mod keys;
mod probe;
pub mod run;
pub mod tally;

pub use error::ParityError;
