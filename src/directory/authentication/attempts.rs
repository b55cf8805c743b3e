//! Limits how often a password may be tried.
//!
//! Failures are counted three times: of one account from one client, of one client for all accounts, and of one account
//! for all clients. Beyond a free number, each count makes its next attempt wait, twice as long with every failure. An
//! attempt is counted *before* the password is checked, and the count is taken back if it was right. So concurrent
//! attempts get no further than attempts one after the other.
//!
//! A user cannot be locked out by others: one who has signed in from the same network before is limited by the first count
//! alone, whatever others do to the account and whatever comes from that network. A known account is counted by its id, an
//! unknown name by its folded form. So another spelling of a name is not another account, and an unknown name is counted
//! like a known one.

use std::net::IpAddr;
use std::time::Duration;

use crate::directory::Directory;
use crate::directory::access::{Actor, Origin, Who};
use crate::directory::error::Error;
use crate::directory::limiter::{Backoff, Waits};
use crate::directory::model::{Timestamp, UserId, fold};
use crate::directory::password::{QueueClient, QueueSlot};
use crate::directory::store::Tx;
use crate::directory::store::attempts::{Account, blocked, of_name, of_user};
use crate::network::client_network;

/// Networks remembered of each user; the one not used for longest is dropped.
const NETWORKS_MAX: i64 = 20;

pub(super) const PAIR: Backoff =
    Backoff { name: "pair", free: 5, longest: Duration::from_mins(15), memory: Duration::from_hours(1) };
const CLIENT: Backoff =
    Backoff { name: "client", free: 50, longest: Duration::from_mins(15), memory: Duration::from_hours(1) };
pub(super) const ACCOUNT: Backoff =
    Backoff { name: "account", free: 100, longest: Duration::from_mins(1), memory: Duration::from_hours(1) };

/// The account that an attempt is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum ClaimedAccount<'a> {
    /// The user with this username.
    Name(&'a str),
    /// The user with this id.
    User(UserId),
    /// The user that a code was sent to, and what the code was asked for with. Without a user the attempt costs the same.
    Code(Option<UserId>, &'a str),
}

/// A count that never makes anyone wait. It takes the place of those that a known client is not limited by, so that an attempt
/// does not take less time there.
const SPARE: Backoff =
    Backoff { name: "spare", free: i64::MAX, longest: Duration::ZERO, memory: Duration::from_hours(1) };

/// An attempt that need not wait, and has not been counted yet.
struct AllowedAttempt {
    counts: Vec<(Backoff, Vec<u8>)>,
    keys: Vec<Vec<u8>>,
    network: Option<IpAddr>,
    share: QueueClient,
}

/// An attempt that has been counted.
pub(super) struct Attempt {
    /// The key of each count, the pair's first, and until when the attempt has blocked it.
    counted: Vec<(Vec<u8>, Timestamp)>,
    network: Option<IpAddr>,
    share: QueueClient,
}

impl Directory {
    /// Counts an attempt to sign in to an account, and takes a place in the queue of hashes for it. Returns
    /// [`Error::Busy`] when the attempt comes too early or the queue has no place.
    pub(super) async fn attempt(
        &self,
        origin: &Origin,
        claimed: ClaimedAccount<'_>,
    ) -> Result<(Attempt, QueueSlot), Error> {
        let allowed = self.allowed_attempt(origin, claimed).await?;
        // An attempt that gets no hash is not counted, so rows grow no faster than hashes.
        let place = self.hasher.reserve(allowed.share.clone())?;
        Ok((self.count_attempt(allowed).await?, place))
    }

    /// Counts an attempt that needs no hash.
    pub(super) async fn attempt_without_hash(
        &self,
        origin: &Origin,
        claimed: ClaimedAccount<'_>,
    ) -> Result<Attempt, Error> {
        let allowed = self.allowed_attempt(origin, claimed).await?;
        self.count_attempt(allowed).await
    }

    /// Checks that an attempt need not wait. One that has to costs one read.
    async fn allowed_attempt(
        &self,
        origin: &Origin,
        claimed: ClaimedAccount<'_>,
    ) -> Result<AllowedAttempt, Error> {
        let network = origin.ip().map(client_network);
        let now = self.clock.now();
        let counts = self.attempt_counts(claimed, network).await?;
        let keys: Vec<_> = counts.iter().map(|(_, key)| key.clone()).collect();
        // The last key decides the share of the queue: a known pair has its own, strangers share that of the account.
        let share = QueueClient { client: origin.network(), account: keys.last().cloned() };
        let waits = Waits::of(now, &counts, &self.store.point_read(blocked(&keys, now)).await?);
        let verdict = waits.check();
        self.shorten(waits).await?;
        verdict?;
        Ok(AllowedAttempt { counts, keys, network, share })
    }

    async fn count_attempt(&self, allowed: AllowedAttempt) -> Result<Attempt, Error> {
        let AllowedAttempt { counts, keys, network, share } = allowed;
        let now = self.clock.now();
        let counted = self.store.write(move |tx| {
            Waits::of(now, &counts, &tx.blocked(&keys, now)?).check()?;
            let mut counted = Vec::with_capacity(counts.len());
            for (backoff, key) in &counts {
                counted.push((key.clone(), backoff.add(tx, key, 1, now)?));
            }
            tx.forget_attempts(now)?;
            Ok(counted)
        });
        Ok(Attempt { counted: counted.await?, network, share })
    }

    /// Stores shorter waits where the stored ones are too long, which they are once, after the clock went back.
    async fn shorten(&self, waits: Waits) -> Result<(), Error> {
        match waits.are_too_long() {
            true => self.store.write(move |tx| waits.shorten(tx)).await,
            false => Ok(()),
        }
    }

    /// Returns the counts that limit an attempt, with their keys.
    async fn attempt_counts(
        &self,
        claimed: ClaimedAccount<'_>,
        network: Option<IpAddr>,
    ) -> Result<Vec<(Backoff, Vec<u8>)>, Error> {
        let from = network.map(|network| network.to_string()).unwrap_or_default();
        let folded = match claimed {
            ClaimedAccount::Name(name) => fold(name),
            ClaimedAccount::User(_) => String::new(),
            // No folded name begins with a NUL.
            ClaimedAccount::Code(_, target) => format!("\0code {target}"),
        };
        let found = match claimed {
            // PostgreSQL refuses a NUL, and no stored name has one.
            ClaimedAccount::Name(name) if name.contains('\0') => None,
            ClaimedAccount::Name(name) => self.store.first(of_name(&from, &folded, name)).await?,
            ClaimedAccount::User(user) => self.store.first(of_user(&from, user)).await?,
            ClaimedAccount::Code(user, _) => {
                let no_user = || UserId::try_from(i64::MAX).ok();
                match user.or_else(no_user) {
                    Some(user) => self.store.first(of_user(&from, user)).await?,
                    None => None,
                }
            }
        };
        let Account { id, is_known } = found.unwrap_or_default();
        let account = if id == 0 { folded } else { account_of(id) };
        let mut counts = vec![(PAIR, PAIR.key([&account, &from]))];
        match (is_known, claimed) {
            (false, _) => {
                counts.push((CLIENT, CLIENT.key(["", &from])));
                counts.push((ACCOUNT, ACCOUNT.key([&account, ""])));
            }
            (true, ClaimedAccount::Code(..)) => {
                counts.push((SPARE, SPARE.key(["", &from])));
                counts.push((SPARE, SPARE.key([&account, ""])));
            }
            (true, _) => {}
        }
        Ok(counts)
    }

    /// Takes a place in the queue of hashes for a password that a caller sets. Returns [`Error::Busy`] when the queue is
    /// full, or the client or person has its share of it. Operators are not limited.
    pub(in crate::directory) fn hash_place(&self, actor: &Actor) -> Result<QueueSlot, Error> {
        let account = match &actor.who {
            Who::Person(identity) => Some(format!("person {}", identity.user.id.get()).into_bytes()),
            Who::Operator(_) | Who::Anonymous => None,
        };
        self.hasher.reserve(QueueClient { client: actor.origin.network(), account })
    }
}

/// Returns the name under which a known account is counted. No folded name begins with a NUL.
pub(super) fn account_of(id: i64) -> String {
    format!("\0{id}")
}

impl Attempt {
    /// The share of the queue of hashes that the attempt uses.
    pub(super) fn share(&self) -> QueueClient {
        self.share.clone()
    }

    /// The client's network, if it is known.
    pub(super) fn network(&self) -> Option<IpAddr> {
        self.network
    }

    /// Takes the counts back, since the password or code was right. The client is known from now on. Wrong codes no longer
    /// count.
    pub(super) fn succeeded(&self, tx: &Tx<'_>, user: UserId, now: Timestamp) -> Result<(), Error> {
        for (index, (key, until)) in self.counted.iter().enumerate() {
            // The pair starts anew; the other counts may hold failures of others.
            if index == 0 { tx.forget_failures(key)? } else { tx.take_back_failure(key, *until)? }
        }
        tx.forget_code_failures(user)?;
        match self.network {
            Some(network) => tx.know_network(user, &network.to_string(), now, NETWORKS_MAX),
            None => Ok(()),
        }
    }
}
