//! Notices to people about their own accounts, by mail to the address that they had before the change.
//!
//! A notice is written in the transaction of the change. It has no value of the account but the username. A change waits for
//! no notice: where the outbox is full, the audit trail says that one was left out.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde_json::json;

use super::mails::{address_of, mail};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::messages::Template;
use crate::directory::model::{MessageKind, NewMessage, User, UserId, UserKey};
use crate::directory::store::attempts::networks_of;
use crate::network::client_network;

/// How long a notice is tried to be sent.
const LIFETIME: Duration = Duration::from_hours(72);

/// Notices that the password of a user was set.
pub(in crate::directory) fn of_password(change: &Change<'_, '_>, user: &User) -> Result<(), Error> {
    of_change(change, user, Template::NoticePasswordMail)
}

/// Notices that the e-mail address or the mobile number of a user was changed.
pub(in crate::directory) fn of_contacts(
    change: &Change<'_, '_>,
    before: &User,
    after: &User,
) -> Result<(), Error> {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if filled(&before.email) != filled(&after.email) {
        of_change(change, before, Template::NoticeEmailMail)?;
    }
    if filled(&before.mobile_number) != filled(&after.mobile_number) {
        of_change(change, before, Template::NoticeNumberMail)?;
    }
    Ok(())
}

fn of_change(change: &Change<'_, '_>, user: &User, template: Template) -> Result<(), Error> {
    if change.policy.links.change_notices { notify(change, user, template, "") } else { Ok(()) }
}

/// Notices a sign-in from a network that the user did not use before. Call it before the network becomes known. The first
/// network of a user is none to notice.
pub(super) fn of_network(
    change: &Change<'_, '_>,
    user: UserId,
    network: Option<IpAddr>,
) -> Result<(), Error> {
    let Some(network) = network.filter(|_| change.policy.links.network_notices) else { return Ok(()) };
    let known: Vec<String> = change.tx.all(&networks_of(user))?;
    let mut known = known.iter().filter_map(|known| known.parse::<IpAddr>().ok()).map(wider).peekable();
    let network = wider(network);
    if known.peek().is_none() || known.any(|known| known == network) {
        return Ok(());
    }
    let length = if network.is_ipv4() { 24 } else { 64 };
    match change.tx.user(&UserKey::Id(user))? {
        Some(user) => notify(change, &user, Template::NoticeNetworkMail, &format!("{network}/{length}")),
        None => Ok(()),
    }
}

/// The network that a notice is about: 24 bits of an IPv4 address, 64 of an IPv6 address.
fn wider(address: IpAddr) -> IpAddr {
    match client_network(address) {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & 0xffff_ff00)),
        address => address,
    }
}

/// Puts a notice into the outbox, if mail can be sent to the user.
fn notify(change: &Change<'_, '_>, user: &User, template: Template, network: &str) -> Result<(), Error> {
    let Some(to) = address_of(user) else { return Ok(()) };
    let time = change.now.to_string();
    let time = time.get(..16).map_or(time.clone(), |minute| format!("{} UTC", minute.replace('T', " ")));
    let values = [("username", user.username.as_str()), ("time", &time), ("network", network)];
    let expires_at = change.now.plus(LIFETIME).unwrap_or(change.now);
    let mail = mail(change, template, MessageKind::Notice, to, &values);
    match change.enqueue(&NewMessage { user: Some(user.id), expires_at, ..mail }) {
        Ok(_) | Err(Error::MessagesUnavailable(_)) => Ok(()),
        Err(Error::Busy { .. }) => {
            let details = json!({ "notice": template.name(), "why": "the outbox is full" });
            audit::record(change, "notice.left_out", &AuditObject::User(user), details)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_a_notice_is_a_24_or_a_64() {
        for (address, network) in [
            ("203.0.113.77", "203.0.113.0"),
            ("::ffff:203.0.113.77", "203.0.113.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(wider(address.parse().unwrap()).to_string(), network);
        }
    }
}
