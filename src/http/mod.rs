//! The HTTP floor: from a request to an answer.
//!
//! A request passes, in this order: `server` frames it; `express` answers the most frequent request; [`front`] gives
//! it an id, checks host, path and limits, and turns whatever goes wrong into an answer; then the router calls [`ops`],
//! `docs` or [`api`]. Around the API's handlers is `pipeline` (bounds, negotiation, credentials).
//!
//! There is no SQL here and no rule about users and rights. Handlers call the directory.

mod admin;
pub mod api;
pub mod app;
mod avatar_cache;
pub mod avatars;
pub mod body;
pub mod caller;
mod code_ticket;
mod conditions;
mod cors;
mod docs;
pub mod error;
mod even_time;
mod express;
mod forward_auth;
mod front;
mod headers;
pub mod json;
mod language;
mod media;
pub mod negotiate;
pub mod ops;
mod outgoing;
mod path;
mod pipeline;
mod problem;
mod reason;
pub mod request_log;
pub mod resource;
mod schemes;
pub mod settings;
pub mod site;
mod text;
mod throttle;

pub use front::Front;
