//! Pictures: making them safe, and keeping them.
//!
//! Never in here: users, requests, status codes.

pub mod image;
