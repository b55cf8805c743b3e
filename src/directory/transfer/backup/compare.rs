//! Comparing a backup with the present database, row by row: what access was closed since, and closing it again in the
//! restored copy. With that, nothing is valid after the restore that is closed now.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::side_by_side::{groups, missing, pairs, side_by_side, tokens, users};
use crate::directory::error::Error;
use crate::directory::model::{
    ClosedAccess, ClosureKind, ComparisonExtent, GrantedAccess, GrantedToken, NamedId, Narrowing,
    NotCompared, Timestamp, TokenId,
};
use crate::directory::password::{UNUSABLE, encoding};
use crate::directory::store::transfer::access_rows::{
    self, AuditPosition, GoodToken, NameRow, PairRow, TokenRow, UserRow,
};
use crate::directory::store::{Sql, Tx};
use crate::directory::transfer::record::id_of;

/// Audit actions on a user that do not change their access.
const HARMLESS: [&str; 4] = ["sign_in", "sign_in.refused", "sign_out", "user.set_password.refused"];

/// What was closed since a backup.
pub(super) struct BackupComparison {
    /// How much of it is known.
    pub(super) extent: ComparisonExtent,
    pub(super) closed: Vec<ClosedAccess>,
    unreported: UnreportedClosures,
}

/// Differences that grant no access by themselves. The restored copy gets the present state without a report.
#[derive(Default)]
struct UnreportedClosures {
    /// Expired tokens that were revoked, each with the time.
    revoked: Vec<(i64, i64)>,
    /// What tokens that are revoked in neither database are narrowed to now. Those that are valid are reported.
    narrowed: Vec<(TokenId, Narrowing)>,
    /// Users who were restored from the recycle bin and deleted again.
    deleted_again: Vec<i64>,
    /// The same about groups.
    groups_deleted_again: Vec<i64>,
}

/// The two databases, and the differences found so far.
struct Comparer<'a, 'b, 'p> {
    backup: &'a Tx<'b>,
    present: &'a Tx<'p>,
    now: Timestamp,
    closed: Vec<ClosedAccess>,
    unreported: UnreportedClosures,
    users_gone: HashSet<i64>,
    groups_gone: HashSet<i64>,
    /// The number of good tokens of users who are now inactive or gone.
    good: HashMap<i64, u64>,
}

impl BackupComparison {
    /// Returns the comparison for when the present database cannot be read.
    pub(super) fn impossible(reason: NotCompared) -> Self {
        let unreported = UnreportedClosures::default();
        Self { extent: ComparisonExtent::Impossible(reason), closed: Vec::new(), unreported }
    }

    /// Compares a backup with the present database. Users and groups that were deleted before `kept_since` are in neither.
    pub(super) fn between(
        backup: &Tx<'_>,
        present: &Tx<'_>,
        now: Timestamp,
        kept_since: Timestamp,
    ) -> Result<Self, Error> {
        let end = common_end(backup, present)?;
        let mut comparer = Comparer {
            backup,
            present,
            now,
            closed: Vec::new(),
            unreported: UnreportedClosures::default(),
            users_gone: HashSet::new(),
            groups_gone: HashSet::new(),
            good: HashMap::new(),
        };
        if let Some(end) = end {
            comparer.users(end, kept_since)?;
            comparer.groups(kept_since)?;
        }
        comparer.tokens(end.is_some())?;
        if end.is_some() {
            comparer.pairs()?;
        }
        let Comparer { mut closed, unreported, good, .. } = comparer;
        for closed in &mut closed {
            if let (ClosureKind::UserDeleted | ClosureKind::UserDeactivated, Some(user)) =
                (closed.kind, &closed.user)
            {
                closed.tokens = good.get(&user.id).copied().unwrap_or_default();
            }
        }
        closed.sort_by_key(ClosedAccess::order);
        let extent = if end.is_some() { ComparisonExtent::Complete } else { ComparisonExtent::Partial };
        Ok(Self { extent, closed, unreported })
    }

    /// Closes in the backup what was closed since.
    pub(super) fn close_again(&self, backup: &Tx<'_>, present: &Tx<'_>, now: Timestamp) -> Result<(), Error> {
        let UnreportedClosures { revoked, narrowed, deleted_again, groups_deleted_again } = &self.unreported;
        revoked.iter().try_for_each(|(id, at)| backup.revoke_at(*id, *at))?;
        narrowed.iter().try_for_each(|(id, narrowing)| backup.narrow_token(*id, narrowing))?;
        deleted_again.iter().try_for_each(|id| backup.drop_user(*id, present, now))?;
        groups_deleted_again.iter().try_for_each(|id| backup.drop_group(*id, present))?;
        let permissions = permission_ids(backup)?;
        for closed in &self.closed {
            let id = |named: &Option<NamedId>| named.as_ref().map_or(0, |named| named.id);
            let (user, group, token) = (id(&closed.user), id(&closed.group), id(&closed.token));
            let permission = permissions.get(&id(&closed.permission)).copied().unwrap_or_default();
            let at = closed.at.unwrap_or(now).as_micros();
            match closed.kind {
                ClosureKind::TokenRevoked | ClosureKind::TokenDeleted | ClosureKind::TokenMoved => {
                    backup.revoke_at(token, at)?;
                }
                ClosureKind::TokenEnded => backup.end_at(token, at)?,
                // Written above.
                ClosureKind::TokenNarrowed => {}
                ClosureKind::PermissionRemoved => backup.drop_user_permission(user, permission)?,
                ClosureKind::MembershipRemoved => backup.drop_membership(user, group)?,
                ClosureKind::GroupPermissionRemoved => backup.drop_group_permission(group, permission)?,
                ClosureKind::GroupDeleted | ClosureKind::DeletedGroupPurged => {
                    backup.drop_group(group, present)?;
                }
                ClosureKind::UserDeleted | ClosureKind::DeletedUserPurged => {
                    backup.drop_user(user, present, now)?;
                }
                ClosureKind::UserDeactivated
                | ClosureKind::AdminRemoved
                | ClosureKind::StaffRemoved
                | ClosureKind::PasswordChanged => update_user(backup, present, closed.kind, user, now)?,
            }
        }
        if self.extent == ComparisonExtent::Complete {
            backup.take_attempts(present)?;
        }
        Ok(())
    }
}

/// Returns the access that a backup grants.
pub(super) fn granted_access(
    backup: &Tx<'_>,
    created_at: &str,
    now: Timestamp,
) -> Result<GrantedAccess, Error> {
    let made: Option<Timestamp> = created_at.parse().ok();
    let age = made.and_then(|made| u64::try_from(now.as_micros() - made.as_micros()).ok());
    let tokens = backup.good_tokens(now)?.into_iter().map(|GoodToken { token, user, expires_at }| {
        GrantedToken { token: token.into(), user: user.into(), expires_at: timestamp(expires_at) }
    });
    Ok(GrantedAccess {
        age: age.map(Duration::from_micros),
        users: backup.active_users()?,
        admins: backup.admin_names()?.into_iter().map(NamedId::from).collect(),
        tokens: tokens.collect(),
    })
}

/// Returns the id of the backup's newest audit event if the present audit trail has it too, and so continues it.
fn common_end(backup: &Tx<'_>, present: &Tx<'_>) -> Result<Option<i64>, Error> {
    let Some(AuditPosition { id, hash }) = backup.last_event()? else { return Ok(None) };
    Ok(present.event_at(id)?.filter(|event| event.hash == hash).map(|event| event.id))
}

impl Comparer<'_, '_, '_> {
    fn users(&mut self, end: i64, kept_since: Timestamp) -> Result<(), Error> {
        let imported = self.present.imported_after(end)?;
        let present = self.present;
        side_by_side(users(self.backup), users(self.present), |before, after| {
            let user = NamedId { id: before.id, name: before.username.clone() };
            let mut close =
                |kind| self.closed.push(ClosedAccess { user: Some(user.clone()), ..ClosedAccess::new(kind) });
            let Some(after) = after else {
                close(ClosureKind::UserDeleted);
                self.users_gone.insert(before.id);
                self.good.insert(before.id, 0);
                return Ok(());
            };
            if before.is_active && !after.is_active {
                close(ClosureKind::UserDeactivated);
                self.good.insert(before.id, 0);
            }
            if before.is_admin && !after.is_admin {
                close(ClosureKind::AdminRemoved);
            }
            if before.is_staff && !after.is_staff {
                close(ClosureKind::StaffRemoved);
            }
            if password_changed(present, before, after, end, imported)? {
                close(ClosureKind::PasswordChanged);
            }
            Ok(())
        })?;
        self.recycle_bin(kept_since)
    }

    fn recycle_bin(&mut self, kept_since: Timestamp) -> Result<(), Error> {
        let present = self.present.deleted_since(kept_since)?;
        let present: HashMap<i64, i64> = present.into_iter().map(|(user, at)| (user.0, at)).collect();
        for (user, at) in self.backup.deleted_since(kept_since)? {
            match present.get(&user.0) {
                Some(same) if *same == at => {}
                Some(_) => self.unreported.deleted_again.push(user.0),
                // The user was restored since, and is valid now.
                None if self.present.user_row(user.0)?.is_some() => {}
                None => {
                    let kind = ClosureKind::DeletedUserPurged;
                    self.closed.push(ClosedAccess { user: Some(user.into()), ..ClosedAccess::new(kind) });
                }
            }
        }
        Ok(())
    }

    fn groups(&mut self, kept_since: Timestamp) -> Result<(), Error> {
        side_by_side(groups(self.backup), groups(self.present), |before, after| {
            if after.is_none() {
                self.groups_gone.insert(before.0);
                let group = Some(before.clone().into());
                self.closed.push(ClosedAccess { group, ..ClosedAccess::new(ClosureKind::GroupDeleted) });
            }
            Ok(())
        })?;
        self.deleted_groups(kept_since)
    }

    fn deleted_groups(&mut self, kept_since: Timestamp) -> Result<(), Error> {
        let present = self.present.deleted_groups_since(kept_since)?;
        let present: HashMap<i64, i64> = present.into_iter().map(|(group, at)| (group.0, at)).collect();
        for (group, at) in self.backup.deleted_groups_since(kept_since)? {
            match present.get(&group.0) {
                Some(same) if *same == at => {}
                Some(_) => self.unreported.groups_deleted_again.push(group.0),
                // The group was restored since, and gives its rights now.
                None if !self.present.group_name(group.0)?.is_empty() => {}
                None => {
                    let kind = ClosureKind::DeletedGroupPurged;
                    self.closed.push(ClosedAccess { group: Some(group.into()), ..ClosedAccess::new(kind) });
                }
            }
        }
        Ok(())
    }

    /// Compares tokens by their digests: a token is the same whatever its id.
    fn tokens(&mut self, is_complete: bool) -> Result<(), Error> {
        let now = self.now.as_micros();
        let backup = self.backup;
        side_by_side(tokens(self.backup), tokens(self.present), |before, after| {
            if before.revoked_at.is_some() {
                return Ok(());
            }
            // Also of a token that has expired: someone may extend it.
            if let Some(after) = after.filter(|after| !before.narrowing.is_within(&after.narrowing)) {
                self.unreported.narrowed.push((id_of(before.id)?, after.narrowing.clone()));
            }
            if before.expires_at.is_some_and(|end| end <= now) {
                let revoked = after.and_then(|after| Some((before.id, after.revoked_at?)));
                self.unreported.revoked.extend(revoked);
                return Ok(());
            }
            let owner_is_gone = self.users_gone.contains(&before.user_id);
            let Some((kind, at)) = token_closure(before, after, is_complete, owner_is_gone) else {
                if let Some(good) = self.good.get_mut(&before.user_id) {
                    *good += 1;
                }
                return Ok(());
            };
            let user = Some(NamedId { id: before.user_id, name: backup.username(before.user_id)? });
            let token = Some(NamedId { id: before.id, name: before.name.clone() });
            self.closed.push(ClosedAccess { user, token, at: timestamp(at), ..ClosedAccess::new(kind) });
            Ok(())
        })
    }

    fn pairs(&mut self) -> Result<(), Error> {
        let permissions: HashMap<i64, NamedId> = (self.backup.permission_rows()?.into_iter())
            .map(|row| (row.id, NamedId { id: row.code, name: row.name }))
            .collect();
        let backup = self.backup;
        let user = |id| Ok::<_, Error>(Some(NamedId { id, name: backup.username(id)? }));
        let group = |id| Ok::<_, Error>(Some(NamedId { id, name: backup.group_name(id)? }));
        let mut closed = Vec::new();
        for PairRow(of, to) in self.missing_pairs(access_rows::memberships)? {
            if !self.users_gone.contains(&of) && !self.groups_gone.contains(&to) {
                let kind = ClosureKind::MembershipRemoved;
                closed.push(ClosedAccess { user: user(of)?, group: group(to)?, ..ClosedAccess::new(kind) });
            }
        }
        for PairRow(of, permission) in self.missing_pairs(access_rows::user_permissions)? {
            if !self.users_gone.contains(&of) {
                let permission = permissions.get(&permission).cloned();
                let kind = ClosureKind::PermissionRemoved;
                closed.push(ClosedAccess { user: user(of)?, permission, ..ClosedAccess::new(kind) });
            }
        }
        for PairRow(of, permission) in self.missing_pairs(access_rows::group_permissions)? {
            if !self.groups_gone.contains(&of) {
                let permission = permissions.get(&permission).cloned();
                let kind = ClosureKind::GroupPermissionRemoved;
                closed.push(ClosedAccess { group: group(of)?, permission, ..ClosedAccess::new(kind) });
            }
        }
        self.closed.extend(closed);
        Ok(())
    }

    fn missing_pairs(&self, page: fn(&(i64, i64)) -> Sql) -> Result<Vec<PairRow>, Error> {
        missing(pairs(self.backup, page), pairs(self.present, page))
    }
}

/// Returns how a token that is good in the backup was closed since, and when; `None` if it is still good, or is reported
/// with its owner.
fn token_closure(
    before: &TokenRow,
    after: Option<&TokenRow>,
    is_complete: bool,
    owner_is_gone: bool,
) -> Option<(ClosureKind, Option<i64>)> {
    let Some(after) = after else {
        return (is_complete && !owner_is_gone).then_some((ClosureKind::TokenDeleted, None));
    };
    if is_complete && after.user_id != before.user_id {
        return Some((ClosureKind::TokenMoved, None));
    }
    if after.revoked_at.is_some() {
        return Some((ClosureKind::TokenRevoked, after.revoked_at));
    }
    let earlier = after.expires_at.filter(|end| before.expires_at.is_none_or(|before| *end < before));
    match earlier {
        Some(end) => Some((ClosureKind::TokenEnded, Some(end))),
        None if !before.narrowing.is_within(&after.narrowing) => Some((ClosureKind::TokenNarrowed, None)),
        None => None,
    }
}

/// Reports whether the backup's password of a user no longer signs them in. A sign-in that re-encodes a password does
/// not change it. Where another action may have changed it, it counts as changed.
fn password_changed(
    present: &Tx<'_>,
    before: &UserRow,
    after: &UserRow,
    end: i64,
    imported: bool,
) -> Result<bool, Error> {
    if before.password == after.password || before.password.starts_with(UNUSABLE) {
        return Ok(false);
    }
    if imported || encoding(&after.password).0 != "argon2" {
        return Ok(true);
    }
    let actions = present.actions_on_user(before.id, end)?;
    let signed_in = actions.iter().any(|action| action == "sign_in");
    Ok(!signed_in || actions.iter().any(|action| !HARMLESS.contains(&action.as_str())))
}

/// Gives a user of the backup the present value of what was closed.
fn update_user(
    backup: &Tx<'_>,
    present: &Tx<'_>,
    kind: ClosureKind,
    id: i64,
    now: Timestamp,
) -> Result<(), Error> {
    let (Some(mut user), Some(current)) = (backup.user_row(id)?, present.user_row(id)?) else {
        return Ok(());
    };
    match kind {
        ClosureKind::UserDeactivated => user.is_active = false,
        ClosureKind::AdminRemoved => user.is_admin = false,
        ClosureKind::StaffRemoved => user.is_staff = false,
        // The password that works now continues to work.
        ClosureKind::PasswordChanged => user.password = current.password,
        _ => {}
    }
    backup.write_user_row(&user, now)
}

fn permission_ids(backup: &Tx<'_>) -> Result<HashMap<i64, i64>, Error> {
    Ok(backup.permission_rows()?.into_iter().map(|row| (row.code, row.id)).collect())
}

fn timestamp(micros: Option<i64>) -> Option<Timestamp> {
    micros.and_then(|micros| Timestamp::from_micros(micros).ok())
}

impl From<NameRow> for NamedId {
    fn from(NameRow(id, name): NameRow) -> Self {
        Self { id, name }
    }
}
