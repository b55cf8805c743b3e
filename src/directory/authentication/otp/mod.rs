//! Signing in with a one-time code.
//!
//! 1. `ask` takes a request for a code. It never looks at users: it writes the same row whatever was asked for, so neither its
//!    answer nor its time says whether an account exists.
//! 2. `decide` runs afterwards, in a job of every server: it finds the account, follows the limits, and puts the code into the
//!    outbox.
//! 3. `verify` checks a code. A request without an account costs it the same as a wrong code.
//!
//! `rules` has what is decided without a database. A code proves one factor: `otp` (RFC 8176).

mod ask;
mod decide;
mod rules;
mod verify;

pub use self::verify::CodeBinding;

use std::net::IpAddr;
use std::sync::Arc;

use crate::directory::Directory;
use crate::directory::access::Origin;
use crate::directory::error::Error;
use crate::directory::model::{Channel, CodeSettings, CodeTicket, Locale};
use crate::directory::secrets_key::{Purpose, SecretsKeys};
use crate::network::client_network;

/// The proof of a one-time code (RFC 8176).
const CODE_PROOF: &str = "otp";

impl Directory {
    /// Returns how codes are made and sent; `None` if no one can sign in with a code.
    pub fn code_settings(&self) -> Option<&CodeSettings> {
        self.codes.as_deref()
    }

    /// Whether codes are sent this way.
    pub fn sends_codes_by(&self, channel: Channel) -> bool {
        self.codes.is_some() && self.can_send(channel)
    }

    /// The keys of codes.
    fn code_keys(&self) -> Option<Arc<SecretsKeys>> {
        self.message_settings().keys
    }

    /// Returns the language of messages to people whose language is not known.
    pub fn message_locale(&self) -> Locale {
        self.message_settings().locale
    }
}

/// The feature is off. No caller gets here without having asked first.
fn is_off() -> Error {
    Error::broken("a one-time code was asked for", "signing in with a code is not configured")
}

/// Returns the name under which a client is counted.
fn client_of(origin: &Origin) -> String {
    origin.ip().map(|ip: IpAddr| client_network(ip).to_string()).unwrap_or_default()
}

/// Returns what the HMAC of a code is computed from: a code is good for its own request alone.
fn code_text(id: i64, code: &str) -> String {
    format!("code {id} {code}")
}

fn ticket_text(id: i64) -> String {
    format!("ticket {id}")
}

/// Makes the ticket of a request.
fn ticket(keys: &SecretsKeys, id: i64) -> Result<CodeTicket, Error> {
    Ok(CodeTicket::new(id, &keys.mac(Purpose::Code, ticket_text(id).as_bytes())?))
}

/// Returns the id of the request that a ticket was made for; `None` if this program did not make it.
fn id_of(keys: &SecretsKeys, ticket: &CodeTicket) -> Option<i64> {
    let (id, mac) = ticket.parts()?;
    keys.has_mac(Purpose::Code, ticket_text(id).as_bytes(), &mac).then_some(id)
}
