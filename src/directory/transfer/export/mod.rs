//! The whole directory as records, in an order in which they can be brought in again: permissions, groups, users,
//! tokens, and whoever is in the recycle bin. All are of one moment.
//!
//! The audit trail has an export of its own ([`super::audit`]); the guard's counts are forgotten soon anyway.

pub mod pseudonym;

use std::io;

use crate::directory::Directory;
use crate::directory::access::{Action, Actor, authorize};
use crate::directory::error::Error;
use crate::directory::model::Permission;
use crate::directory::model::stored::{WholeDeleted, WholeGroup, WholeToken, WholeUser};
use crate::directory::store::inventory;
use crate::directory::store::{self, Sql, Tx};
use crate::directory::transfer::record::{
    DeletedRecord, GroupRecord, Header, PermissionRecord, Record, Reference, TokenRecord, UserRecord, VERSION,
};
use crate::directory::transfer_error::TransferError;

/// Rows read at once.
const PAGE: i64 = 2000;

/// What an export holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Whole,
    /// Everything but what tells who somebody is: see [`pseudonym`].
    Anonymised,
    /// Users alone.
    Users,
}

/// Where records go. What it says went wrong ends the export.
pub trait Sink: Send + 'static {
    /// Takes the next record.
    fn put(&mut self, record: Record) -> io::Result<()>;
    /// There are no more: what is still held back goes out.
    fn finish(&mut self) -> io::Result<()>;
}

impl Directory {
    /// Hands every record to `sink`; tells how many there were.
    pub async fn export(&self, actor: &Actor, scope: Scope, sink: impl Sink) -> Result<u64, TransferError> {
        authorize(actor, Action::Export)?;
        let now = self.clock.now();
        let is_anonymised = scope == Scope::Anonymised;
        let count = self
            .store
            .snapshot(move |tx| {
                let mut export = Outlet { sink: Box::new(sink), is_anonymised, count: 0 };
                if scope == Scope::Users {
                    export.users(tx)?;
                    return export.finish();
                }
                let header = Header { version: VERSION, exported_at: Some(now), anonymised: is_anonymised };
                export.put(Record::Wardroom(header))?;
                let permissions: Vec<Permission> = tx.all(&store::permissions::list())?;
                permissions
                    .into_iter()
                    .try_for_each(|permission| export.put(Record::Permission(permission.into())))?;
                let groups: Vec<WholeGroup> = tx.all(&inventory::groups())?;
                groups.into_iter().try_for_each(|group| export.put(Record::Group(group.into())))?;
                export.users(tx)?;
                if !is_anonymised {
                    export.tokens(tx)?;
                    export.deleted(tx)?;
                }
                export.finish()
            })
            .await?;
        Ok(count)
    }
}

/// Records on their way out.
struct Outlet {
    sink: Box<dyn Sink>,
    is_anonymised: bool,
    count: u64,
}

impl Outlet {
    fn put(&mut self, record: Record) -> Result<(), Error> {
        self.count += 1;
        let record = if self.is_anonymised { pseudonym::of(record) } else { record };
        self.sink.put(record).map_err(unwritable)
    }

    fn finish(mut self) -> Result<u64, Error> {
        self.sink.finish().map_err(unwritable)?;
        Ok(self.count)
    }

    fn users(&mut self, tx: &Tx<'_>) -> Result<(), Error> {
        let page = |after| inventory::users_after(after, PAGE);
        self.pages(tx, page, |whole: &WholeUser| whole.user.id.get(), |whole| Ok(Record::User(whole.into())))
    }

    fn tokens(&mut self, tx: &Tx<'_>) -> Result<(), Error> {
        let page = |after| inventory::tokens_after(after, PAGE);
        self.pages(
            tx,
            page,
            |whole: &WholeToken| whole.token.id.get(),
            |whole| Ok(Record::Token(whole.into())),
        )
    }

    fn deleted(&mut self, tx: &Tx<'_>) -> Result<(), Error> {
        let page = |after| inventory::deleted_after(after, PAGE);
        self.pages(
            tx,
            page,
            |whole: &WholeDeleted| whole.id,
            |whole| Ok(Record::DeletedUser(whole.try_into()?)),
        )
    }

    fn pages<T: store::FromRow>(
        &mut self,
        tx: &Tx<'_>,
        page: impl Fn(i64) -> Sql,
        id: impl Fn(&T) -> i64,
        record: impl Fn(T) -> Result<Record, Error>,
    ) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let rows: Vec<T> = tx.all(&page(after))?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = id(last);
            for row in rows {
                self.put(record(row)?)?;
            }
        }
    }
}

fn unwritable(error: io::Error) -> Error {
    Error::broken("the export cannot be written", error)
}

impl From<Permission> for PermissionRecord {
    fn from(permission: Permission) -> Self {
        Self { id: Some(permission.id.get()), code: permission.code, name: permission.name }
    }
}

impl From<WholeGroup> for GroupRecord {
    fn from(WholeGroup { group, permissions }: WholeGroup) -> Self {
        Self {
            id: Some(group.id.get()),
            name: group.name,
            notes: Some(group.notes),
            created_at: Some(group.created_at),
            updated_at: Some(group.updated_at),
            permissions: Some(permissions),
        }
    }
}

impl From<WholeUser> for UserRecord {
    fn from(WholeUser { user, password, permissions }: WholeUser) -> Self {
        Self {
            id: Some(user.id.get()),
            username: user.username,
            mobile_number: Some(user.mobile_number),
            email: Some(user.email),
            avatar: Some(user.avatar),
            first_name: Some(user.first_name),
            last_name: Some(user.last_name),
            gender: Some(user.gender),
            groups: Some(user.groups.iter().map(|group| Reference::Id(group.get())).collect()),
            last_login: Some(user.last_login),
            created_at: Some(user.created_at),
            updated_at: Some(user.updated_at),
            last_seen_at: Some(user.last_seen_at),
            is_active: Some(user.is_active),
            is_staff: Some(user.is_staff),
            is_admin: Some(user.is_admin),
            permissions: Some(permissions),
            password: Some(password),
        }
    }
}

impl From<WholeToken> for TokenRecord {
    fn from(WholeToken { token, digest, last_used_from }: WholeToken) -> Self {
        Self {
            id: Some(token.id.get()),
            user: Some(Reference::Id(token.user_id.get())),
            name: Some(token.name),
            key: None,
            digest: Some(format!("{digest:x}")),
            kind: Some(token.kind.as_str().to_owned()),
            prefix: Some(token.prefix),
            last_four: Some(token.last_four),
            created_at: Some(token.created_at),
            expires_at: Some(token.expires_at),
            revoked_at: Some(token.revoked_at),
            last_used_at: Some(token.last_used_at),
            last_used_from: Some(last_used_from),
            made_by: Some(token.made_by.as_str().to_owned()),
            root: Some(token.root.map(|root| format!("{root:x}"))),
        }
    }
}

impl TryFrom<WholeDeleted> for DeletedRecord {
    type Error = Error;
    fn try_from(whole: WholeDeleted) -> Result<Self, Error> {
        Ok(Self {
            id: whole.id,
            username: whole.username,
            email: whole.email,
            deleted_at: whole.deleted_at,
            deleted_by: whole.deleted_by,
            remains: serde_json::from_str(&whole.remains)
                .map_err(|error| Error::broken("a deleted user cannot be read", error))?,
        })
    }
}
