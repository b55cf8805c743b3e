//! Exporting the account database as records, as of one moment and in an order that can be imported again: permissions,
//! groups, users, tokens, deleted users, deleted groups, ended tokens.
//!
//! The audit trail has an export of its own, in `crate::directory::audit`. The counters of the rate limits are left out,
//! because they soon expire.

pub mod pseudonym;

use std::io;

use crate::directory::Directory;
use crate::directory::access::{Action, Actor, authorize, scope_list};
use crate::directory::error::Error;
use crate::directory::model::stored::{
    StoredDeletedGroup, StoredDeletedUser, StoredEndedToken, StoredGroup, StoredToken, StoredUser,
};
use crate::directory::model::{Networks, Permission};
use crate::directory::store::{self, Sql, Tx};
use crate::directory::store::{ended_tokens, export_rows};
use crate::directory::transfer::record::{
    DeletedGroupRecord, DeletedRecord, GroupRecord, Header, PermissionRecord, Record, Reference, TokenRecord,
    VERSION,
};
use crate::directory::transfer_error::TransferError;

/// The number of rows read at once.
const PAGE: i64 = 2000;

/// What to export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportScope {
    /// Everything.
    Whole,
    /// Everything without personal data: see [`pseudonym`].
    Anonymised,
    /// Only users.
    Users,
}

/// Receives exported records. An error ends the export.
pub trait RecordSink: Send + 'static {
    /// Writes the next record.
    fn put(&mut self, record: Record) -> io::Result<()>;
    /// Writes what is still buffered, after the last record.
    fn finish(&mut self) -> io::Result<()>;
}

impl Directory {
    /// Writes all records to `sink` and returns their number.
    pub async fn export(
        &self,
        actor: &Actor,
        scope: ExportScope,
        sink: impl RecordSink,
    ) -> Result<u64, TransferError> {
        authorize(actor, Action::Export)?;
        let now = self.clock.now();
        let is_anonymised = scope == ExportScope::Anonymised;
        let count = self
            .store
            .snapshot(move |tx| {
                let mut writer = RecordWriter { sink: Box::new(sink), is_anonymised, count: 0 };
                if scope == ExportScope::Users {
                    writer.users(tx)?;
                    return writer.finish();
                }
                let header = Header { version: VERSION, exported_at: Some(now), anonymised: is_anonymised };
                writer.put(Record::Wardroom(header))?;
                let permissions: Vec<Permission> = tx.all(&store::permissions::list())?;
                permissions
                    .into_iter()
                    .try_for_each(|permission| writer.put(Record::Permission(permission.into())))?;
                let groups: Vec<StoredGroup> = tx.all(&export_rows::groups())?;
                groups.into_iter().try_for_each(|group| writer.put(Record::Group(group.into())))?;
                writer.users(tx)?;
                if !is_anonymised {
                    writer.tokens(tx)?;
                    writer.deleted(tx)?;
                    writer.deleted_groups(tx)?;
                    writer.ended_tokens(tx)?;
                }
                writer.finish()
            })
            .await?;
        Ok(count)
    }
}

/// Writes records to a sink and counts them.
struct RecordWriter {
    sink: Box<dyn RecordSink>,
    is_anonymised: bool,
    count: u64,
}

impl RecordWriter {
    fn put(&mut self, record: Record) -> Result<(), Error> {
        self.count += 1;
        let record = if self.is_anonymised { pseudonym::anonymise(record) } else { record };
        self.sink.put(record).map_err(unwritable)
    }

    fn finish(mut self) -> Result<u64, Error> {
        self.sink.finish().map_err(unwritable)?;
        Ok(self.count)
    }

    fn users(&mut self, tx: &Tx<'_>) -> Result<(), Error> {
        let page = |after| export_rows::users_after(after, PAGE);
        self.pages(tx, page, |whole: &StoredUser| whole.user.id.get(), |whole| Ok(Record::User(whole.into())))
    }

    fn tokens(&mut self, tx: &Tx<'_>) -> Result<(), Error> {
        let page = |after| export_rows::tokens_after(after, PAGE);
        self.pages(
            tx,
            page,
            |whole: &StoredToken| whole.token.id.get(),
            |whole| Ok(Record::Token(whole.into())),
        )
    }

    fn deleted(&mut self, tx: &Tx<'_>) -> Result<(), Error> {
        let page = |after| export_rows::deleted_after(after, PAGE);
        self.pages(
            tx,
            page,
            |whole: &StoredDeletedUser| whole.id,
            |whole| Ok(Record::DeletedUser(whole.try_into()?)),
        )
    }

    fn deleted_groups(&mut self, tx: &Tx<'_>) -> Result<(), Error> {
        let mut after = 0;
        loop {
            // One at a time: each comes with all of its members.
            let Some(row) = tx.stored_deleted_groups(after, 1)?.pop() else { return Ok(()) };
            after = row.id;
            self.put(Record::DeletedGroup(row.try_into()?))?;
        }
    }

    fn ended_tokens(&mut self, tx: &Tx<'_>) -> Result<(), Error> {
        let mut after = Vec::new();
        loop {
            let rows: Vec<StoredEndedToken> = tx.all(&ended_tokens::after(&after))?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.digest.as_bytes().to_vec();
            for row in rows {
                self.put(Record::EndedToken(row.into()))?;
            }
        }
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

impl From<StoredGroup> for GroupRecord {
    fn from(StoredGroup { group, permissions }: StoredGroup) -> Self {
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

impl From<StoredToken> for TokenRecord {
    fn from(StoredToken { token, digest, last_used_from, ends_by }: StoredToken) -> Self {
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
            ends_by: Some(ends_by),
            scopes: Some(token.narrowing.scopes.as_ref().map(scope_list)),
            read_only: Some(token.narrowing.read_only),
            allowed_networks: Some(token.narrowing.allowed_networks.as_ref().map(Networks::texts)),
        }
    }
}

impl TryFrom<StoredDeletedUser> for DeletedRecord {
    type Error = Error;
    fn try_from(whole: StoredDeletedUser) -> Result<Self, Error> {
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

impl TryFrom<StoredDeletedGroup> for DeletedGroupRecord {
    type Error = Error;
    fn try_from(whole: StoredDeletedGroup) -> Result<Self, Error> {
        Ok(Self {
            id: whole.id,
            name: whole.name,
            deleted_at: whole.deleted_at,
            deleted_by: whole.deleted_by,
            members: whole.members,
            remains: serde_json::from_str(&whole.remains)
                .map_err(|error| Error::broken("a deleted group cannot be read", error))?,
        })
    }
}
