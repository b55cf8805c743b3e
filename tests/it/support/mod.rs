//! Shared by all tests: temporary databases, a server with the usual users, a client that sees every byte, and real
//! Django projects.

pub mod browser;
pub mod client;
pub mod codes;
pub mod conformance;
pub mod database;
pub mod django;
pub mod own_postgres;
pub mod pgbouncer;
pub mod ports;
pub mod proxy;
pub mod rows;
pub mod site;
pub mod source;
mod templates;

pub use browser::Browser;
pub use client::{Answer, Request};
pub use database::{Backend, Database};
pub use django::DjangoProject;
pub use ports::free_address;
pub use rows::Rows;
pub use site::Site;
pub use source::ForeignSource;

/// Creates a test for each database from one body.
macro_rules! both {
    ($(#[doc = $doc:literal])* $(#[ignore = $why:literal])? async fn $name:ident($backend:ident: Backend) $body:block) => {
        $(#[doc = $doc])*
        mod $name {
            use super::*;

            async fn run($backend: Backend) $body

            #[tokio::test(flavor = "multi_thread")]
            $(#[ignore = $why])?
            async fn sqlite() {
                run(Backend::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            $(#[ignore = $why])?
            async fn postgres() {
                run(Backend::Postgres).await;
            }
        }
    };
}
pub(crate) use both;
