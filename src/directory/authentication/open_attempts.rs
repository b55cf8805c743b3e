//! Failed attempts that still count against an account: looking at them, and forgetting them.
//!
//! The counts are kept under hashes, so they cannot be listed. Those of an account are found by the networks from which it
//! may have been tried: the ones that it knows, and those of the refusals that the audit trail has.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::json;

use super::attempts::{ACCOUNT, PAIR, account_of};
use crate::directory::Directory;
use crate::directory::access::{Action, Actor, Rights, authorize};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::model::{Timestamp, User, UserKey};
use crate::directory::store::Tx;
use crate::directory::store::attempts::{CountedKey, counted, networks_of, refused_from};
use crate::network::client_network;

/// Failed attempts of one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAttempts {
    /// The network; `None` for all networks together that the user has not signed in from.
    pub network: Option<String>,
    /// The failures that count.
    pub failures: i64,
    /// Until when the next attempt has to wait; `None` if it need not.
    pub blocked_until: Option<Timestamp>,
}

impl Directory {
    /// Returns the failed attempts that still count against a user.
    pub async fn open_attempts(&self, actor: &Actor, user: &User) -> Result<Vec<OpenAttempts>, Error> {
        authorize(actor, Action::ReadUsers)?;
        let (user, now) = (user.clone(), self.clock.now());
        self.store
            .snapshot(move |tx| Ok(found(tx, &user, now)?.into_iter().map(|(_, open)| open).collect()))
            .await
    }

    /// Forgets the failed attempts of users, all of them or none. Returns the users with the number of failures.
    pub async fn unlock_users(&self, actor: &Actor, keys: Vec<UserKey>) -> Result<Vec<(User, i64)>, Error> {
        self.change(actor, move |change| {
            let unlocked = keys.iter().map(|key| {
                let user = change.tx.existing_user(key)?;
                let rights = Rights::from(change.tx.rights(user.id)?);
                change.check(Action::Unlock(&user, &rights))?;
                let failures = forget(change, &user)?;
                if failures > 0 {
                    let details = json!({ "failures": failures });
                    audit::record(change, "user.unlock", &AuditObject::User(&user), details)?;
                }
                Ok((user, failures))
            });
            unlocked.collect()
        })
        .await
    }
}

/// Forgets the failed attempts of a user, and returns their number.
pub(in crate::directory) fn forget(change: &Change<'_, '_>, user: &User) -> Result<i64, Error> {
    let mut failures = 0;
    for (key, open) in found(change.tx, user, change.now)? {
        change.tx.forget_failures(&key)?;
        failures += open.failures;
    }
    // Without this, an account that has no password could be locked without an end.
    failures += change.tx.forget_code_failures(user.id)?;
    Ok(failures)
}

/// Finds the counts of a user that have not expired, with their keys.
fn found(tx: &Tx<'_>, user: &User, now: Timestamp) -> Result<Vec<(Vec<u8>, OpenAttempts)>, Error> {
    let account = account_of(user.id.get());
    let mut networks: BTreeSet<String> = tx.all::<String>(&networks_of(user.id))?.into_iter().collect();
    for address in tx.all::<String>(&refused_from(user.id, now.saturating_sub(PAIR.memory)))? {
        networks.extend(address.parse::<IpAddr>().map(|address| client_network(address).to_string()));
    }
    // Attempts without an address, as on a Unix socket.
    networks.insert(String::new());
    let mut places = vec![(ACCOUNT.key([&account, ""]), None)];
    places.extend(networks.into_iter().map(|network| (PAIR.key([&account, &network]), Some(network))));
    let keys: Vec<_> = places.iter().map(|(key, _)| key.clone()).collect();
    let mut open = Vec::new();
    for statement in counted(&keys, now) {
        for CountedKey { key, failures, until } in tx.all(&statement)? {
            let Some((_, network)) = places.iter().find(|(known, _)| *known == key) else { continue };
            let blocked_until = Timestamp::from_micros(until).ok().filter(|until| *until > now);
            open.push((key, OpenAttempts { network: network.clone(), failures, blocked_until }));
        }
    }
    open.sort_by(|(_, a), (_, b)| a.network.cmp(&b.network));
    Ok(open)
}
