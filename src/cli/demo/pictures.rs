//! The pictures of the demo's users. `scripts/demo-pictures` drew them.

use bytes::Bytes;

use crate::cli::report::CliError;
use crate::directory::avatars::AvatarChange;
use crate::directory::model::{Expected, UserDraft, UserId, UserKey};
use crate::directory::{Actor, Directory};
use crate::http::api::samples;
use crate::http::avatars::upload;
use crate::media::Media;
use crate::media::image::StudioError;
use crate::media::storage::StorageError;

const ALEX: &[u8] = include_bytes!("alex.png");
/// Users and their pictures.
const PICTURES: [(&str, &[u8]); 3] = [
    (samples::USERNAME, include_bytes!("ada.png")),
    ("paul_plain", include_bytes!("paul.png")),
    ("ines_inactive", include_bytes!("ines.png")),
];

/// Stores the picture that the documentation's example names, as an import does.
pub(super) async fn add_alex(media: &Media, name: &str) -> Result<(), CliError> {
    let picture = media.studio().make_safe(Bytes::from_static(ALEX)).await;
    let picture = picture.map_err(|error: StudioError| unusable(&error))?;
    let stored = media.storage().put(name, picture.full.into()).await;
    stored.map_err(|error: StorageError| unusable(&error))
}

/// Uploads the picture of a user, if the demo has one.
pub(super) async fn add(
    directory: &Directory,
    media: &Media,
    actor: &Actor,
    (id, username): (UserId, &str),
) -> Result<(), CliError> {
    let Some((_, picture)) = PICTURES.iter().find(|(name, _)| *name == username) else { return Ok(()) };
    let avatar = AvatarChange::Upload(upload(media, Bytes::from_static(picture), ()));
    let (key, draft) = (UserKey::Id(id), UserDraft::default());
    directory.update_user_with(actor, &key, &draft, None, Expected::Any, Some(avatar)).await?;
    Ok(())
}

fn unusable(error: &dyn std::error::Error) -> CliError {
    CliError::internal(format!("the example's picture cannot be used: {error}"))
}
