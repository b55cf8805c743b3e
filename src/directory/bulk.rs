//! Many users in one call, all of them or none: each goes the way that a single one goes, and what is wrong
//! is told for each by its place.

use super::Directory;
use super::access::{Actor, Deed, may};
use super::error::Error;
use super::model::{Expected, Faults, Rule, User, UserDraft, UserId, UserKey};
use super::password::UNUSABLE;
use super::users;

/// The most users in one call.
pub const BULK_MAX: usize = 1000;

impl Directory {
    /// Makes users without passwords; in the order of the drafts.
    pub async fn create_users(&self, actor: &Actor, drafts: Vec<UserDraft>) -> Result<Vec<User>, Error> {
        at_most(drafts.len())?;
        let (actor, now) = (actor.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                each(&drafts, |draft| {
                    let fields = draft.parse()?;
                    may(&actor, Deed::CreateUser(&fields))?;
                    users::create(tx, now, &actor, &fields, UNUSABLE)
                })
            })
            .await
    }

    /// Changes users, each by its own draft.
    pub async fn update_users(
        &self,
        actor: &Actor,
        changes: Vec<(UserId, UserDraft)>,
    ) -> Result<Vec<User>, Error> {
        at_most(changes.len())?;
        let (actor, now) = (actor.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let mut seen = std::collections::BTreeSet::new();
                each(&changes, |(id, draft)| {
                    once(&mut seen, *id)?;
                    let fields = draft.parse()?;
                    users::update(tx, now, &actor, &UserKey::Id(*id), &fields, None, &Expected::Any)
                })
            })
            .await
    }

    /// Removes users, as [`Directory::delete_user`] does.
    pub async fn delete_users(&self, actor: &Actor, ids: Vec<UserId>) -> Result<(), Error> {
        at_most(ids.len())?;
        let (actor, now, kept_for) = (actor.clone(), self.clock.now(), self.keep_deleted_for);
        self.store
            .write(move |tx| {
                let mut seen = std::collections::BTreeSet::new();
                each(&ids, |id| {
                    once(&mut seen, *id)?;
                    users::remove(tx, now, &actor, &UserKey::Id(*id), &Expected::Any, kept_for)
                })
                .map(|_| ())
            })
            .await
    }
}

fn at_most(count: usize) -> Result<(), Error> {
    if count > BULK_MAX {
        let told = format!("Ensure this field has no more than {BULK_MAX} elements.");
        return Err(Error::invalid("users", &Rule::Other(told)));
    }
    Ok(())
}

fn once(seen: &mut std::collections::BTreeSet<UserId>, id: UserId) -> Result<(), Error> {
    let again = || Error::invalid("id", &Rule::Other("This id comes more than once.".to_owned()));
    if seen.insert(id) { Ok(()) } else { Err(again()) }
}

/// Does the work for each item, and goes on after a faulty one: every fault is told, by its place.
fn each<T, R>(items: &[T], mut work: impl FnMut(&T) -> Result<R, Error>) -> Result<Vec<R>, Error> {
    let (mut done, mut faults) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
    for (index, item) in items.iter().enumerate() {
        let fault = match work(item) {
            Ok(result) => {
                done.push(result);
                Faults::default()
            }
            Err(Error::Invalid(fault)) => fault,
            Err(error @ Error::NotFound { .. }) => Faults::of("id", &Rule::Other(format!("{error}."))),
            Err(Error::Denied(denial)) => return Err(Error::DeniedItem { index, denial }),
            Err(error) => return Err(error),
        };
        faults.push(fault);
    }
    if done.len() == faults.len() { Ok(done) } else { Err(Error::InvalidItems(faults)) }
}
