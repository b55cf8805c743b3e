//! How often a password may be tried.
//!
//! Failures are counted three times: of one account from one client, of one client whatever the account, and of
//! one account whoever tries. Beyond a free number each count makes its next attempt wait, twice as long with
//! every failure. An attempt is counted *before* the password is looked at and taken back when it was right, so
//! that many at once get no further than one after the other.
//!
//! Nobody is locked out by others: whoever has signed in to the account before from the same network is held to the
//! first count alone, whatever others do to the account, and whatever comes from that network. An account is counted
//! by its id; a name that nobody has, in its folded form. So another spelling of a name is no other account, and an
//! unknown name is counted like a known one.

use std::net::IpAddr;
use std::time::Duration;

use super::count::{Count, wait};
use super::network;
use crate::directory::Directory;
use crate::directory::access::Origin;
use crate::directory::error::Error;
use crate::directory::model::{Timestamp, UserId, fold};
use crate::directory::password::{Place, Share};
use crate::directory::store::Tx;
use crate::directory::store::attempts as stored;

/// Networks remembered of each user; the one not used for longest goes.
const NETWORKS_MAX: i64 = 20;

const PAIR: Count =
    Count { name: "pair", free: 5, longest: Duration::from_mins(15), memory: Duration::from_hours(1) };
const CLIENT: Count =
    Count { name: "client", free: 50, longest: Duration::from_mins(15), memory: Duration::from_hours(1) };
const ACCOUNT: Count =
    Count { name: "account", free: 100, longest: Duration::from_mins(1), memory: Duration::from_hours(1) };

/// Who somebody claims to be.
#[derive(Clone, Copy, Debug)]
pub(in crate::directory) enum Claimed<'a> {
    /// Whoever has this username.
    Name(&'a str),
    /// The user with this id.
    User(UserId),
}

/// An attempt that is counted already.
pub(in crate::directory) struct Attempt {
    /// The key of each count, the pair's first, and until when the attempt has blocked it.
    counted: Vec<(Vec<u8>, Timestamp)>,
    network: Option<IpAddr>,
    share: Share,
}

impl Directory {
    /// Counts an attempt to prove to be somebody, and takes a place in the line of hashes for it; [`Error::Busy`] when
    /// it comes too early, or there is no place.
    pub(in crate::directory) async fn attempt(
        &self,
        origin: &Origin,
        claimed: Claimed<'_>,
    ) -> Result<(Attempt, Place), Error> {
        let network = origin.ip().map(network);
        let now = self.clock.now();
        let counts = self.counts(claimed, network).await?;
        let keys: Vec<_> = counts.iter().map(|(_, key)| key.clone()).collect();
        // The last one says who shares places: a known pair those of its own, strangers those of the account.
        let share = Share { client: network, account: keys.last().cloned() };
        // Who has to wait costs a read and no more.
        let blocked: Vec<i64> = self.store.point_read(stored::blocked(&keys, now)).await?;
        wait(now, blocked)?;
        // What no hash will be computed for need not be remembered: so rows grow no faster than hashes.
        let place = self.hasher.place(share.clone())?;
        let counted = self.store.write(move |tx| {
            wait(now, tx.blocked(&keys, now)?)?;
            let mut counted = Vec::with_capacity(counts.len());
            for (count, key) in &counts {
                counted.push((key.clone(), tx.count_more(count, key, 1, now)?));
            }
            tx.forget_attempts(now)?;
            Ok(counted)
        });
        Ok((Attempt { counted: counted.await?, network, share }, place))
    }

    async fn counts(
        &self,
        claimed: Claimed<'_>,
        network: Option<IpAddr>,
    ) -> Result<Vec<(Count, Vec<u8>)>, Error> {
        let from = network.map(|network| network.to_string()).unwrap_or_default();
        let folded = match claimed {
            Claimed::Name(name) => fold(name),
            Claimed::User(_) => String::new(),
        };
        let found = match claimed {
            // PostgreSQL cannot be asked for a NUL; nobody has one in their name.
            Claimed::Name(name) if name.contains('\0') => None,
            Claimed::Name(name) => self.store.first(stored::of_name(&from, &folded, name)).await?,
            Claimed::User(user) => self.store.first(stored::of_user(&from, user)).await?,
        };
        let stored::Account { id, is_known } = found.unwrap_or_default();
        // No folded name begins so.
        let account = if id == 0 { folded } else { format!("\0{id}") };
        let mut counts = vec![(PAIR, PAIR.key([&account, &from]))];
        if !is_known {
            counts.push((CLIENT, CLIENT.key(["", &from])));
            counts.push((ACCOUNT, ACCOUNT.key([&account, ""])));
        }
        Ok(counts)
    }
}

impl Attempt {
    /// Whose places in the line of hashes it takes.
    pub(in crate::directory) fn share(&self) -> Share {
        self.share.clone()
    }

    /// Takes the count back: the password was right. The client is known from now on.
    pub(in crate::directory) fn succeeded(
        &self,
        tx: &Tx<'_>,
        user: UserId,
        now: Timestamp,
    ) -> Result<(), Error> {
        for (index, (key, until)) in self.counted.iter().enumerate() {
            // The pair has proved itself; the other counts may be full of somebody else's failures.
            if index == 0 { tx.forget_failures(key)? } else { tx.take_back_failure(key, *until)? }
        }
        match self.network {
            Some(network) => tx.know_network(user, &network.to_string(), now, NETWORKS_MAX),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_longest() {
        let seconds: Vec<_> = (1..=20).map(|failures| PAIR.delay(failures).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900, 900]);
        assert_eq!((PAIR.delay(i64::MAX), PAIR.delay(i64::MIN)), (PAIR.longest, Duration::ZERO));
    }

    #[test]
    fn keys_do_not_run_into_each_other() {
        assert_ne!(PAIR.key(["ab", "c"]), PAIR.key(["a", "bc"]));
        assert_ne!(PAIR.key(["a", ""]), ACCOUNT.key(["a", ""]));
    }
}
