//! Avatars: their names, the order of an upload, and how many uploads a person may make.
//!
//! A picture and the other fields of a request are one change. It is first made without the picture and rolled back, so
//! that a wrong field stores no file. Then the files are written, and only then the row: whenever the process stops, the
//! row names files that exist. Files that no row names any more are removed later.
//!
//! Never in here: the bytes of a picture, or where they are kept.

use std::fmt::Write as _;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Directory;
use super::access::{Actor, Who};
use super::change::Change;
use super::error::Error;
use super::model::{User, UserId, UserKey};
use super::unique_values::UniqueValues;
use crate::database::DatabaseError;

/// The directory of uploaded avatars among the media files.
const DIRECTORY: &str = "users/avatars";
/// The bytes of a hash that a name shows: 160 bits.
const SHOWN: usize = 20;

/// What the name of a user's avatar is made of, besides its content. So the same picture has another name for another
/// user, and every file belongs to one user. Who has the uploaded file can work out the name for a given user.
#[derive(Clone, Debug)]
pub struct AvatarOwner(Vec<u8>);

impl AvatarOwner {
    /// A user who exists: the same picture gets the same name again.
    pub fn of(user: UserId) -> Self {
        Self(user.get().to_be_bytes().to_vec())
    }

    /// A user who will be created, and has no id yet: a random text takes its place.
    fn to_be(directory: &Directory) -> Result<Self, Error> {
        Ok(Self(directory.clock.salt()?.to_vec()))
    }

    /// Makes the name of the avatar that is uploaded with this content.
    pub fn name(&self, content: &[u8], extension: &str) -> String {
        let length = u64::try_from(self.0.len()).unwrap_or_default().to_be_bytes();
        let hash = Sha256::new().chain_update(length).chain_update(&self.0).chain_update(content).finalize();
        let shown = hash.iter().take(SHOWN).fold(String::new(), |mut text, byte| {
            // Writing to memory does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        format!("{DIRECTORY}/{shown}.{extension}")
    }
}

/// A new avatar that is not stored yet.
pub struct MadeAvatar {
    /// The name of the full picture.
    pub name: String,
    /// The size of the full picture in bytes.
    pub bytes: usize,
    /// Writes the files. They are durable when it returns.
    pub store: BoxFuture<'static, Result<(), Error>>,
}

/// Makes a new avatar from an upload.
pub type AvatarUpload = Box<dyn FnOnce(AvatarOwner) -> BoxFuture<'static, Result<MadeAvatar, Error>> + Send>;

/// What becomes of an avatar.
pub enum AvatarChange {
    /// There is none afterwards.
    Remove,
    /// This one replaces it.
    Upload(AvatarUpload),
}

/// An avatar whose files exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredAvatar {
    /// The name of the full picture.
    name: String,
    /// The size of the full picture in bytes, for the audit trail.
    bytes: usize,
}

/// The avatar that a change writes.
#[derive(Clone, Debug, Default)]
pub(super) enum NewAvatar {
    /// The one that is there.
    #[default]
    Kept,
    /// None.
    Removed,
    /// This one.
    Stored(StoredAvatar),
}

impl NewAvatar {
    /// Writes the name to a user.
    pub(super) fn write_to(&self, user: &mut User) {
        match self {
            Self::Kept => {}
            // Imported rows may hold an empty text, which is no avatar either.
            Self::Removed if user.avatar.as_deref().is_none_or(str::is_empty) => {}
            Self::Removed => user.avatar = None,
            Self::Stored(avatar) => user.avatar = Some(avatar.name.clone()),
        }
    }

    /// What the audit trail shows of a change of the avatar: names, and what is known about size and type. `None` if it
    /// is no change.
    pub(super) fn event(&self, before: Option<&User>, after: &User) -> Option<Value> {
        let old = before.and_then(|user| user.avatar.as_deref());
        if old == after.avatar.as_deref() {
            return None;
        }
        let mut new = shown(after.avatar.as_deref());
        if let (Self::Stored(avatar), Some(new)) = (self, new.as_object_mut()) {
            new.insert("bytes".to_owned(), avatar.bytes.into());
        }
        Some(if before.is_some() { json!([shown(old), new]) } else { new })
    }
}

/// What the audit trail shows of an avatar with this name.
fn shown(name: Option<&str>) -> Value {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Value::Null };
    let kind = match name.rsplit_once('.') {
        Some((path, "jpg")) if path.starts_with(DIRECTORY) => Some("image/jpeg"),
        Some((path, "png")) if path.starts_with(DIRECTORY) => Some("image/png"),
        _ => None,
    };
    match kind {
        Some(kind) => json!({ "name": name, "type": kind }),
        None => json!({ "name": name }),
    }
}

/// When a user can try again who wants an avatar whose files are being removed.
const RETRY_AFTER: Duration = Duration::from_mins(1);

/// Makes sure that the files of an avatar stay which a user gets in this change or soon after it. Fails while they are being removed.
fn keep_files(change: &Change<'_, '_>, name: &str) -> Result<(), Error> {
    if change.tx.reference_media(name)? { Ok(()) } else { Err(Error::Busy { retry_after: RETRY_AFTER }) }
}

/// How the work of a rehearsal ends: it is always rolled back.
enum Undone {
    OnPurpose,
    Failed(DatabaseError),
}

impl From<DatabaseError> for Undone {
    fn from(error: DatabaseError) -> Self {
        Self::Failed(error)
    }
}

impl Directory {
    /// Runs a change of the user of this key, or one that creates a user, together with a change of the avatar.
    pub(super) async fn change_with_avatar<T, F>(
        &self,
        actor: &Actor,
        values: UniqueValues,
        key: Option<&UserKey>,
        avatar: Option<AvatarChange>,
        work: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&Change<'_, '_>, &NewAvatar) -> Result<T, Error> + Clone + Send + 'static,
    {
        let avatar = match avatar {
            None => NewAvatar::Kept,
            Some(AvatarChange::Remove) => NewAvatar::Removed,
            Some(AvatarChange::Upload(upload)) => {
                self.rehearse(actor, values, work.clone()).await?;
                self.count_upload(actor)?;
                let owner = match key {
                    Some(key) => AvatarOwner::of(self.existing(key).await?.id),
                    None => AvatarOwner::to_be(self)?,
                };
                NewAvatar::Stored(self.store_avatar(actor, upload(owner).await?).await?)
            }
        };
        self.change_unique_of(actor, values, key, move |change| {
            let done = work(change, &avatar)?;
            if let NewAvatar::Stored(avatar) = &avatar {
                keep_files(change, &avatar.name)?;
            }
            Ok(done)
        })
        .await
    }

    /// Writes the files of an avatar. Files of an earlier avatar with this name may be about to be removed. The first
    /// transaction keeps that from beginning between here and the change, which checks it again.
    async fn store_avatar(&self, actor: &Actor, made: MadeAvatar) -> Result<StoredAvatar, Error> {
        let MadeAvatar { name, bytes, store } = made;
        let wanted = name.clone();
        self.change(actor, move |change| keep_files(change, &wanted)).await?;
        store.await?;
        Ok(StoredAvatar { name, bytes })
    }

    /// Runs a change without its avatar and rolls it back. So its errors are known before a file is written.
    async fn rehearse<T, F>(&self, actor: &Actor, values: UniqueValues, work: F) -> Result<(), Error>
    where
        F: Fn(&Change<'_, '_>, &NewAvatar) -> Result<T, Error> + Send + 'static,
    {
        self.change_unique(actor, values, move |change| {
            let mut outcome = Ok(());
            let undone: Result<(), Undone> = change.tx.savepoint(|| {
                outcome = work(change, &NewAvatar::Kept).map(drop);
                Err(Undone::OnPurpose)
            });
            match undone {
                Err(Undone::Failed(error)) => Err(error.into()),
                Ok(()) | Err(Undone::OnPurpose) => outcome,
            }
        })
        .await
    }

    /// Counts an upload of a person. Operators are not limited.
    fn count_upload(&self, actor: &Actor) -> Result<(), Error> {
        let Who::Person(identity) = &actor.who else { return Ok(()) };
        match self.requests.count_upload(identity.user.id, || self.clock.now()) {
            Some(status) if status.exceeded => Err(Error::Busy { retry_after: status.reset }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::model::Timestamp;

    #[test]
    fn a_name_depends_on_the_user_and_the_content() {
        let name = |id: i64, content: &[u8]| AvatarOwner::of(id.try_into().unwrap()).name(content, "jpg");
        assert_eq!(name(1, b"a"), name(1, b"a"));
        assert_ne!(name(1, b"a"), name(2, b"a"));
        assert_ne!(name(1, b"a"), name(1, b"b"));
        let (path, extension) = (name(1, b"a"), ".jpg");
        let hash = path.strip_prefix("users/avatars/").and_then(|rest| rest.strip_suffix(extension)).unwrap();
        assert!(hash.len() == 40 && hash.bytes().all(|byte| b"0123456789abcdef".contains(&byte)), "{hash}");
    }

    #[test]
    fn the_audit_trail_shows_names_size_and_type() {
        let user = |avatar: Option<&str>| User {
            avatar: avatar.map(str::to_owned),
            ..User::new("ann".into(), Timestamp::EPOCH)
        };
        let name = "users/avatars/0a.png".to_owned();
        let stored = NewAvatar::Stored(StoredAvatar { name: name.clone(), bytes: 9 });
        let (old, mut new) = (user(Some("avatars/a.jpg")), user(None));
        stored.write_to(&mut new);
        assert_eq!(
            stored.event(Some(&old), &new).unwrap(),
            json!([{ "name": "avatars/a.jpg" }, { "name": name, "type": "image/png", "bytes": 9 }])
        );
        assert_eq!(stored.event(Some(&new), &new), None);
        NewAvatar::Kept.write_to(&mut new);
        assert_eq!(new.avatar, Some(name.clone()));
        let mut none = new.clone();
        NewAvatar::Removed.write_to(&mut none);
        let removed = json!([{ "name": name, "type": "image/png" }, null]);
        assert_eq!(NewAvatar::Removed.event(Some(&new), &none), Some(removed));
        let mut empty = user(Some(""));
        NewAvatar::Removed.write_to(&mut empty);
        assert_eq!(empty.avatar.as_deref(), Some(""), "what shows none stays as it is");
    }
}
