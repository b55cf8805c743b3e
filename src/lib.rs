//! Wardroom stores users, groups, permissions and API tokens, and reports which user a token belongs to.
//!
//! One package, one binary. A module imports only from modules further down this list:
//!
//! - [`cli`]: the command line. It starts the server or calls `directory` itself.
//! - [`http`]: the API. It turns requests into use cases, and errors into status codes.
//! - [`server`]: the HTTP engine: connections, TLS and framing. It does not interpret requests.
//! - [`media`]: pictures: making uploads safe, and keeping files on disk or in S3. It knows no user and no HTTP.
//! - [`outbound`]: what leaves the machine: HTTP calls through one door, and mails. It knows no user.
//! - [`switchover`]: tools for a team that switches from Django.
//! - [`jobs`]: the background jobs of a server.
//! - [`directory`]: users, groups, permissions and tokens, and the rules about them. Only it opens a database.
//! - `database`: the database engine for SQLite and PostgreSQL. It knows no users, groups or tokens.
//!
//! [`config`] (settings) and [`telemetry`] (logs and metrics) are beside this list. ARCHITECTURE.md describes the rules.

pub mod cli;
pub mod config;
mod database;
pub mod directory;
pub mod http;
pub mod jobs;
pub mod media;
mod network;
pub mod outbound;
mod paths;
mod postgres_url;
pub mod server;
pub mod switchover;
pub mod telemetry;

/// mimalloc is cheaper than the system's allocator for the small, short-lived allocations of a request. Huge pages are off:
/// they make an idle server half as large again without a measurable gain. SQLite uses it as well (`.cargo/config.toml`).
///
/// It does not take the place of the C library's `malloc`. A library that is loaded before the program, such as libfaketime,
/// allocates before anything is initialised; mimalloc then reads the clock, which that library answers by allocating, and so
/// on until the process crashes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
