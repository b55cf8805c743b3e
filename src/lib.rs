//! Wardroom stores users, groups, permissions and API tokens, and reports which user a token belongs to.
//!
//! One package, one binary. A module imports only from modules further down this list:
//!
//! - [`cli`] — what an operator types; it starts the server or enters the directory itself.
//! - [`http`] — what clients send; it turns requests into use cases and errors into status codes.
//! - [`server`] — the HTTP engine below `http`: connections, TLS, framing; it knows no request's meaning.
//! - [`directory`] — who exists, who may do what, whose token is this; the only one that opens a database.
//!
//! [`config`] (settings) and [`telemetry`] (logs and metrics) are beside this list. ARCHITECTURE.md describes the rules.

pub mod cli;
pub mod config;
mod database;
pub mod directory;
pub mod http;
pub mod jobs;
mod network;
mod paths;
pub mod server;
pub mod switchover;
pub mod telemetry;
