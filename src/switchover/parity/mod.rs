//! Sends the same requests to an old server and to a new one, and finds every difference: the proof before a switch.
//!
//! `question` lists the requests, `client` sends them, `difference` compares two answers (with `fields` for JSON and
//! `expected` for the differences that are intended), `tally` adds them up, and `run` drives it all. Never in here: a
//! request that could change anything, a key in clear text on its way out, or a database.

pub mod address;
pub mod client;
mod difference;
mod error;
mod expected;
mod fields;
mod finding;
pub mod keys;
mod question;
pub mod run;
pub mod tally;

pub use error::ParityError;
