//! Wardroom: the account service of a back office. Who is calling, and may they?
//!
//! One package, one binary, three floors. Data falls down the stairs and answers come back up:
//!
//! - [`cli`] — what an operator types; it starts the server or enters the directory itself.
//! - [`http`] — what clients send; it turns requests into use cases and errors into status codes.
//! - [`server`] — the HTTP engine below `http`: connections, TLS, framing; it knows no request's meaning.
//! - [`directory`] — who exists, who may do what, whose token is this; the only one that opens a database.
//!
//! Beside the stairs: [`config`] (every setting) and [`telemetry`] (logs and metrics).
//! ARCHITECTURE.md tells the rules of the house.

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
