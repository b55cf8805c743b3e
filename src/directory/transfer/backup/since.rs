//! What was closed in a directory since a backup of it was made: compared row by row, and closed again in what is
//! restored. One promise holds for all of it: with that, nothing opens that is closed now.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::directory::error::Error;
use crate::directory::model::Timestamp;
use crate::directory::model::{Brings, Brought, Closed, Closing, Comparison, Named};
use crate::directory::password::{UNUSABLE, encoding};
use crate::directory::store::doors::{self, GoodToken, Mark, NameRow, PairRow, TokenRow, UserRow};
use crate::directory::store::{FromRow, Sql, Tx};

/// What was done to a user that leaves the way in as it was.
const HARMLESS: [&str; 4] = ["sign_in", "sign_in.refused", "sign_out", "user.set_password.refused"];

/// What was closed since.
pub(super) struct Since {
    pub(super) comparison: Comparison,
    pub(super) closed: Vec<Closed>,
    unlisted: Unlisted,
}

/// What opens nothing by itself, and is kept as it is now without a word.
#[derive(Default)]
struct Unlisted {
    /// Tokens past their end anyway that were revoked, with the time.
    revoked: Vec<(i64, i64)>,
    /// Users who were brought back from the recycle bin, and deleted again.
    deleted_again: Vec<i64>,
}

/// The two sides, and what is known of them.
struct Sides<'a, 'b, 'p> {
    backup: &'a Tx<'b>,
    present: &'a Tx<'p>,
    now: Timestamp,
    closed: Vec<Closed>,
    unlisted: Unlisted,
    /// Users and groups that are not there any more.
    users_gone: HashSet<i64>,
    groups_gone: HashSet<i64>,
    /// Good tokens of users that are not active any more, or not there.
    good: HashMap<i64, u64>,
}

impl Since {
    /// When there is nothing to compare with.
    pub(super) fn unknown(why: String) -> Self {
        Self { comparison: Comparison::Impossible(why), closed: Vec::new(), unlisted: Unlisted::default() }
    }

    /// Compares a backup with the directory that is there now. Whoever was in the recycle bin before `kept_since` is
    /// in neither.
    pub(super) fn between(
        backup: &Tx<'_>,
        present: &Tx<'_>,
        now: Timestamp,
        kept_since: Timestamp,
    ) -> Result<Self, Error> {
        let mark = continues(backup, present)?;
        let mut sides = Sides {
            backup,
            present,
            now,
            closed: Vec::new(),
            unlisted: Unlisted::default(),
            users_gone: HashSet::new(),
            groups_gone: HashSet::new(),
            good: HashMap::new(),
        };
        if let Some(mark) = mark {
            sides.users(mark, kept_since)?;
            sides.groups()?;
        }
        sides.tokens(mark.is_some())?;
        if mark.is_some() {
            sides.pairs()?;
        }
        let Sides { mut closed, unlisted, good, .. } = sides;
        for closed in &mut closed {
            if let (Closing::UserDeleted | Closing::UserDeactivated, Some(user)) = (closed.what, &closed.user)
            {
                closed.tokens = good.get(&user.id).copied().unwrap_or_default();
            }
        }
        closed.sort_by_key(Closed::order);
        let comparison = if mark.is_some() { Comparison::Complete } else { Comparison::Partial };
        Ok(Self { comparison, closed, unlisted })
    }

    /// Closes in the backup what was closed since.
    pub(super) fn keep(&self, backup: &Tx<'_>, present: &Tx<'_>, now: Timestamp) -> Result<(), Error> {
        let Unlisted { revoked, deleted_again } = &self.unlisted;
        revoked.iter().try_for_each(|(id, at)| backup.revoke_at(*id, *at))?;
        deleted_again.iter().try_for_each(|id| backup.drop_user(*id, present))?;
        let permissions = permission_ids(backup)?;
        for closed in &self.closed {
            let id = |named: &Option<Named>| named.as_ref().map_or(0, |named| named.id);
            let (user, group, token) = (id(&closed.user), id(&closed.group), id(&closed.token));
            let permission = permissions.get(&id(&closed.permission)).copied().unwrap_or_default();
            let at = closed.at.unwrap_or(now).as_micros();
            match closed.what {
                Closing::TokenRevoked | Closing::TokenDeleted | Closing::TokenMoved => {
                    backup.revoke_at(token, at)?;
                }
                Closing::TokenEnded => backup.end_at(token, at)?,
                Closing::PermissionRemoved => backup.drop_user_permission(user, permission)?,
                Closing::MembershipRemoved => backup.drop_membership(user, group)?,
                Closing::GroupPermissionRemoved => backup.drop_group_permission(group, permission)?,
                Closing::GroupDeleted => backup.drop_group(group)?,
                Closing::UserDeleted | Closing::DeletedUserPurged => backup.drop_user(user, present)?,
                Closing::UserDeactivated
                | Closing::AdminRemoved
                | Closing::StaffRemoved
                | Closing::PasswordChanged => keep_user(backup, present, closed.what, user, now)?,
            }
        }
        if self.comparison == Comparison::Complete {
            backup.take_attempts(present)?;
        }
        Ok(())
    }
}

/// Who and what can come in by what a backup holds.
pub(super) fn brings(backup: &Tx<'_>, created_at: &str, now: Timestamp) -> Result<Brings, Error> {
    let made: Option<Timestamp> = created_at.parse().ok();
    let age = made.and_then(|made| u64::try_from(now.as_micros() - made.as_micros()).ok());
    let tokens = backup.good_tokens(now)?.into_iter().map(|GoodToken { token, user, expires_at }| Brought {
        token: token.into(),
        user: user.into(),
        expires_at: moment(expires_at),
    });
    Ok(Brings {
        age: age.map(std::time::Duration::from_micros),
        users: backup.active_users()?,
        admins: backup.admin_names()?.into_iter().map(Named::from).collect(),
        tokens: tokens.collect(),
    })
}

/// The newest event of the backup, if the audit trail of the present directory has it, too, and so goes on from there.
fn continues(backup: &Tx<'_>, present: &Tx<'_>) -> Result<Option<i64>, Error> {
    let Some(Mark { id, hash }) = backup.last_event()? else { return Ok(None) };
    Ok(present.event_at(id)?.filter(|there| there.hash == hash).map(|there| there.id))
}

impl Sides<'_, '_, '_> {
    fn users(&mut self, mark: i64, kept_since: Timestamp) -> Result<(), Error> {
        let brought_in = self.present.brought_in_after(mark)?;
        let (before, after) = (users(self.backup), users(self.present));
        let present = self.present;
        side_by_side(before, after, |before, after| {
            let user = Named { id: before.id, name: before.username.clone() };
            let mut close = |what| self.closed.push(Closed { user: Some(user.clone()), ..Closed::new(what) });
            let Some(after) = after else {
                close(Closing::UserDeleted);
                self.users_gone.insert(before.id);
                self.good.insert(before.id, 0);
                return Ok(());
            };
            if before.is_active && !after.is_active {
                close(Closing::UserDeactivated);
                self.good.insert(before.id, 0);
            }
            if before.is_admin && !after.is_admin {
                close(Closing::AdminRemoved);
            }
            if before.is_staff && !after.is_staff {
                close(Closing::StaffRemoved);
            }
            if password_changed(present, before, after, mark, brought_in)? {
                close(Closing::PasswordChanged);
            }
            Ok(())
        })?;
        self.bin(kept_since)
    }

    fn bin(&mut self, kept_since: Timestamp) -> Result<(), Error> {
        let there = self.present.binned(kept_since)?;
        let there: HashMap<i64, i64> = there.into_iter().map(|(user, at)| (user.0, at)).collect();
        for (user, at) in self.backup.binned(kept_since)? {
            match there.get(&user.0) {
                Some(same) if *same == at => {}
                Some(_) => self.unlisted.deleted_again.push(user.0),
                // Brought back since: open now.
                None if self.present.user_row(user.0)?.is_some() => {}
                None => {
                    let what = Closing::DeletedUserPurged;
                    self.closed.push(Closed { user: Some(user.into()), ..Closed::new(what) });
                }
            }
        }
        Ok(())
    }

    fn groups(&mut self) -> Result<(), Error> {
        side_by_side(groups(self.backup), groups(self.present), |before, after| {
            if after.is_none() {
                self.groups_gone.insert(before.0);
                let group = Some(before.clone().into());
                self.closed.push(Closed { group, ..Closed::new(Closing::GroupDeleted) });
            }
            Ok(())
        })
    }

    /// Both sides in the order of their digests: a token is the same whatever its id.
    fn tokens(&mut self, complete: bool) -> Result<(), Error> {
        let now = self.now.as_micros();
        let backup = self.backup;
        side_by_side(tokens(self.backup), tokens(self.present), |before, after| {
            if before.revoked_at.is_some() {
                return Ok(());
            }
            if before.expires_at.is_some_and(|end| end <= now) {
                self.unlisted.revoked.extend(after.and_then(|after| Some((before.id, after.revoked_at?))));
                return Ok(());
            }
            let earlier = |after: &TokenRow| {
                after.expires_at.filter(|end| before.expires_at.is_none_or(|before| *end < before))
            };
            let closed = match after {
                None if !complete => None,
                // Told with its owner.
                None if self.users_gone.contains(&before.user_id) => None,
                None => Some((Closing::TokenDeleted, None)),
                Some(after) if complete && after.user_id != before.user_id => {
                    Some((Closing::TokenMoved, None))
                }
                Some(TokenRow { revoked_at: Some(at), .. }) => Some((Closing::TokenRevoked, Some(*at))),
                Some(after) => earlier(after).map(|end| (Closing::TokenEnded, Some(end))),
            };
            let Some((what, at)) = closed else {
                if let Some(good) = self.good.get_mut(&before.user_id) {
                    *good += 1;
                }
                return Ok(());
            };
            let user = Some(Named { id: before.user_id, name: backup.username(before.user_id)? });
            let token = Some(Named { id: before.id, name: before.name.clone() });
            self.closed.push(Closed { user, token, at: moment(at), ..Closed::new(what) });
            Ok(())
        })
    }

    fn pairs(&mut self) -> Result<(), Error> {
        let permissions: HashMap<i64, Named> = (self.backup.permission_rows()?.into_iter())
            .map(|row| (row.id, Named { id: row.code, name: row.name }))
            .collect();
        let (backup, present) = (self.backup, self.present);
        let user = |id| Ok::<_, Error>(Some(Named { id, name: backup.username(id)? }));
        let group = |id| Ok::<_, Error>(Some(Named { id, name: backup.group_name(id)? }));
        let mut closed = Vec::new();
        for PairRow(of, to) in missing(pairs(backup, doors::memberships), pairs(present, doors::memberships))?
        {
            if !self.users_gone.contains(&of) && !self.groups_gone.contains(&to) {
                let what = Closing::MembershipRemoved;
                closed.push(Closed { user: user(of)?, group: group(to)?, ..Closed::new(what) });
            }
        }
        let sides = (pairs(backup, doors::user_permissions), pairs(present, doors::user_permissions));
        for PairRow(of, permission) in missing(sides.0, sides.1)? {
            if !self.users_gone.contains(&of) {
                let (what, permission) = (Closing::PermissionRemoved, permissions.get(&permission).cloned());
                closed.push(Closed { user: user(of)?, permission, ..Closed::new(what) });
            }
        }
        let sides = (pairs(backup, doors::group_permissions), pairs(present, doors::group_permissions));
        for PairRow(of, permission) in missing(sides.0, sides.1)? {
            if !self.groups_gone.contains(&of) {
                let (what, permission) =
                    (Closing::GroupPermissionRemoved, permissions.get(&permission).cloned());
                closed.push(Closed { group: group(of)?, permission, ..Closed::new(what) });
            }
        }
        self.closed.extend(closed);
        Ok(())
    }
}

/// Whether a password of the backup does not let its user in any more. What a sign-in renewed in a newer encoding
/// is the same password; where something else could have been at work, it is taken for another.
fn password_changed(
    present: &Tx<'_>,
    before: &UserRow,
    after: &UserRow,
    mark: i64,
    brought_in: bool,
) -> Result<bool, Error> {
    if before.password == after.password || before.password.starts_with(UNUSABLE) {
        return Ok(false);
    }
    if brought_in || encoding(&after.password).0 != "argon2" {
        return Ok(true);
    }
    let done = present.done_to_user(before.id, mark)?;
    let renewed = done.iter().any(|action| action == "sign_in");
    Ok(!renewed || done.iter().any(|action| !HARMLESS.contains(&action.as_str())))
}

fn keep_user(backup: &Tx<'_>, present: &Tx<'_>, what: Closing, id: i64, now: Timestamp) -> Result<(), Error> {
    let (Some(mut user), Some(there)) = (backup.user_row(id)?, present.user_row(id)?) else { return Ok(()) };
    match what {
        Closing::UserDeactivated => user.is_active = false,
        Closing::AdminRemoved => user.is_admin = false,
        Closing::StaffRemoved => user.is_staff = false,
        // The one that lets its user in now goes on doing so.
        Closing::PasswordChanged => user.password = there.password,
        _ => {}
    }
    backup.write_user_row(&user, now)
}

fn permission_ids(backup: &Tx<'_>) -> Result<HashMap<i64, i64>, Error> {
    Ok(backup.permission_rows()?.into_iter().map(|row| (row.code, row.id)).collect())
}

fn moment(micros: Option<i64>) -> Option<Timestamp> {
    micros.and_then(|micros| Timestamp::from_micros(micros).ok())
}

impl From<NameRow> for Named {
    fn from(NameRow(id, name): NameRow) -> Self {
        Self { id, name }
    }
}

/// Rows in the order of their keys, a page at a time.
struct Rows<'a, 'b, T, K> {
    tx: &'a Tx<'b>,
    page: fn(&K) -> Sql,
    key: fn(&T) -> K,
    after: K,
    rows: VecDeque<T>,
}

impl<T: FromRow, K> Rows<'_, '_, T, K> {
    fn next(&mut self) -> Result<Option<T>, Error> {
        if self.rows.is_empty() {
            self.rows = self.tx.all(&(self.page)(&self.after))?.into();
        }
        let row = self.rows.pop_front();
        if let Some(row) = &row {
            self.after = (self.key)(row);
        }
        Ok(row)
    }
}

fn tokens<'a, 'b>(tx: &'a Tx<'b>) -> Rows<'a, 'b, TokenRow, Vec<u8>> {
    let page = |after: &Vec<u8>| doors::tokens(after);
    Rows { tx, page, key: |token| token.digest.clone(), after: Vec::new(), rows: VecDeque::new() }
}

fn users<'a, 'b>(tx: &'a Tx<'b>) -> Rows<'a, 'b, UserRow, i64> {
    Rows {
        tx,
        page: |after| doors::users(*after),
        key: |user| user.id,
        after: i64::MIN,
        rows: VecDeque::new(),
    }
}

fn groups<'a, 'b>(tx: &'a Tx<'b>) -> Rows<'a, 'b, NameRow, i64> {
    Rows {
        tx,
        page: |after| doors::groups(*after),
        key: |group| group.0,
        after: i64::MIN,
        rows: VecDeque::new(),
    }
}

type Pairs<'a, 'b> = Rows<'a, 'b, PairRow, (i64, i64)>;

fn pairs<'a, 'b>(tx: &'a Tx<'b>, page: fn(&(i64, i64)) -> Sql) -> Pairs<'a, 'b> {
    Rows { tx, page, key: |pair| (pair.0, pair.1), after: (i64::MIN, i64::MIN), rows: VecDeque::new() }
}

/// Each row of one side with the row of the same key on the other.
fn side_by_side<T: FromRow, K: Ord>(
    mut before: Rows<'_, '_, T, K>,
    mut after: Rows<'_, '_, T, K>,
    mut each: impl FnMut(&T, Option<&T>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut other = after.next()?;
    while let Some(row) = before.next()? {
        let key = (before.key)(&row);
        while other.as_ref().is_some_and(|other| (after.key)(other) < key) {
            other = after.next()?;
        }
        each(&row, other.as_ref().filter(|other| (after.key)(other) == key))?;
    }
    Ok(())
}

/// The pairs of one side that are not on the other.
fn missing(before: Pairs<'_, '_>, after: Pairs<'_, '_>) -> Result<Vec<PairRow>, Error> {
    let mut missing = Vec::new();
    side_by_side(before, after, |before, after| {
        missing.extend(after.is_none().then_some(*before));
        Ok(())
    })?;
    Ok(missing)
}
