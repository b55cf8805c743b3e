//! Pictures and other media files: what makes them safe, and where they are kept.
//!
//! Never in here: users, requests, status codes.

pub mod image;
mod keep;
pub mod storage;

pub use self::keep::{KeepError, Media, NamedPicture};
