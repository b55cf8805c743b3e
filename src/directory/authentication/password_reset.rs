//! Asking for a link to set a forgotten password.
//!
//! Who asks learns nothing. An account that gets a link, an unknown name, an inactive user, one without an address, one without a
//! password and one that has had its links all get one answer, and cost the same statements: what is not meant to last is
//! written for a user who does not exist, or taken back in the same transaction.
//!
//! Links are counted like sign-ins: for one account, and for one client. A user who has signed in from a network before has a
//! count there of their own. The mail goes to the address that is stored, not to the one that was typed, and only if it has
//! been the same for a while: a stolen token can change an address, and must not become a password.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::attempts::account_of;
use super::links::{send, why_off};
use super::mails::address_of;
use crate::directory::Directory;
use crate::directory::access::{Actor, Origin, Who};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::limiter::{Backoff, LeftOut};
use crate::directory::model::{DeliveryId, LinkKey, LinkKind, User, UserId, UserKey, fold, masked};
use crate::directory::password::has_password;
use crate::directory::store::links::{AccountNames, ForgottenAccount, forgotten_account};
use crate::network::client_network;

/// What links are counted for. They never make anyone wait, so only the names matter.
const OF_ACCOUNT: Backoff =
    Backoff { name: "reset account", free: i64::MAX, longest: Duration::ZERO, memory: WINDOW };
const OF_CLIENT: Backoff = Backoff { name: "reset client", ..OF_ACCOUNT };
/// The time window of the limits.
const WINDOW: Duration = Duration::from_hours(1);
/// What is written for an account that gets no link.
const NO_ADDRESS: &str = "no-one@example.invalid";

/// The account that a link is asked for.
#[derive(Clone)]
pub enum ForgottenLogin {
    /// The one with this e-mail address.
    Email(String),
    /// The one with this username.
    Username(String),
    /// The one with this e-mail address, or else the one with this username.
    Either(String),
}

impl ForgottenLogin {
    fn names(&self) -> AccountNames {
        let (email, username) = match self {
            Self::Email(text) => (text.trim(), ""),
            Self::Username(text) => ("", text.trim()),
            Self::Either(text) => (text.trim(), text.trim()),
        };
        let both = |text: &str| [text.to_owned(), fold(text)];
        AccountNames { email: both(email), username: both(username) }
    }
}

/// A request for a link.
struct ResetRequest {
    names: AccountNames,
    key: LinkKey,
    /// The network that counts as one client; empty if it is not known.
    network: String,
    /// The id of no message.
    no_message: DeliveryId,
    /// Whether a refusal is recorded, and how many were left out before it.
    recorded: Option<LeftOut>,
}

impl Directory {
    /// Whether people may ask for a link when they have forgotten their password.
    pub fn resets_passwords(&self) -> bool {
        self.policy.links.password_reset && self.why_no_links().is_none()
    }

    /// How many minutes a link for a forgotten password can be used.
    pub fn reset_minutes(&self) -> u64 {
        (self.policy.links.password_reset_lifetime.as_secs() / 60).max(1)
    }

    /// Sends a link to the user of an account, if there is one who may have it. The result does not say so. Where no one can ask,
    /// it is [`Error::NotFound`].
    pub async fn request_password_reset(
        &self,
        origin: &Origin,
        account: &ForgottenLogin,
    ) -> Result<(), Error> {
        if !self.resets_passwords() {
            return Err(Error::not_found("page", "for forgotten passwords"));
        }
        let request = self.reset_request(origin, account)?;
        let actor = Actor { who: Who::Anonymous, origin: origin.clone() };
        self.change(&actor, move |change| answer(change, &request)).await
    }

    fn reset_request(&self, origin: &Origin, account: &ForgottenLogin) -> Result<ResetRequest, Error> {
        Ok(ResetRequest {
            names: account.names(),
            key: self.clock.link_key()?,
            network: origin.ip().map(client_network).as_ref().map(IpAddr::to_string).unwrap_or_default(),
            no_message: DeliveryId::of_random(self.clock.salt()?),
            // Counted without an account, so that it says nothing about one.
            recorded: self.refused_sign_ins.take(self.clock.now(), origin.network(), None),
        })
    }
}

/// Answers a request. All requests run the same statements.
fn answer(change: &Change<'_, '_>, request: &ResetRequest) -> Result<(), Error> {
    let tx = change.tx;
    let found: Option<ForgottenAccount> = tx.first(&forgotten_account(&request.names, &request.network))?;
    let is_within = count(change, request, found.as_ref())?;
    let no_user = UserId::try_from(i64::MAX).map_err(|error| Error::broken("no user has no id", error))?;
    let id = found.as_ref().map_or(no_user, |found| found.id);
    let user = tx.user(&UserKey::Id(id))?;
    let why = why_not(change, found.as_ref(), user.as_ref(), is_within);
    let no_one = || User { id: no_user, ..User::new("no-one".to_owned(), change.now) };
    let (to_user, to) = match user.as_ref().and_then(|user| Some((user, address_of(user)?))) {
        Some((user, to)) if why.is_none() => (user.clone(), to.to_owned()),
        _ => (no_one(), NO_ADDRESS.to_owned()),
    };
    let (link, delivery) = send(change, &to_user, &to, LinkKind::PasswordReset, &request.key)?;
    tx.take_back_delivery(if why.is_none() { &request.no_message } else { &delivery })?;
    let object = user.as_ref().map_or(AuditObject::Directory, AuditObject::User);
    match (why, request.recorded) {
        (None, _) => {
            let details = json!({ "to": masked(&to), "expires_at": link.expires_at.to_string() });
            audit::record(change, "password_reset.request", &object, details)
        }
        (Some(why), Some(left_out)) => {
            let details: Value = left_out.add_to(json!({ "why": why }));
            audit::record(change, "password_reset.refused", &object, details)
        }
        (Some(_), None) => Ok(()),
    }
}

/// Counts a request for the account and for the client. Returns whether both are within their limits.
fn count(
    change: &Change<'_, '_>,
    request: &ResetRequest,
    found: Option<&ForgottenAccount>,
) -> Result<bool, Error> {
    let (tx, links) = (change.tx, &change.policy.links);
    let typed = [&request.names.email[1], &request.names.username[1]].map(String::as_str).join("\n");
    let account = found.map_or(typed, |found| account_of(found.id.get()));
    let known = if found.is_some_and(|found| found.is_known) { request.network.as_str() } else { "" };
    let of_account = tx.count_in_window(OF_ACCOUNT.key([&account, known]), change.now, WINDOW)?;
    let of_client = tx.count_in_window(OF_CLIENT.key(["", &request.network]), change.now, WINDOW)?;
    tx.forget_attempts(change.now)?;
    Ok(of_account <= links.resets_per_account.into() && of_client <= links.resets_per_client.into())
}

/// Why an account gets no link, for the audit trail.
fn why_not(
    change: &Change<'_, '_>,
    found: Option<&ForgottenAccount>,
    user: Option<&User>,
    is_within: bool,
) -> Option<&'static str> {
    let Some((found, user)) = found.zip(user) else { return Some("no user has this name or address") };
    let settled = change.now.saturating_sub(change.policy.links.contact_settle);
    let checks = [
        (why_off(&change.policy).is_some(), "no link can be sent"),
        (!found.is_active, "the user is not active"),
        (!has_password(&found.password), "the user has no password"),
        (address_of(user).is_none(), "the user has no e-mail address"),
        (found.mail_changed_at.is_some_and(|at| at > settled), "the e-mail address is too new"),
        (!is_within, "too many requests"),
    ];
    checks.into_iter().find(|(applies, _)| *applies).map(|(_, why)| why)
}

#[cfg(test)]
mod tests;
