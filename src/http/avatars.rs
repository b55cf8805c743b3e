//! An uploaded avatar: from the bytes of a request to the name that the directory writes.

use bytes::Bytes;
use futures_util::FutureExt as _;

use crate::directory::Error;
use crate::directory::avatars::{AvatarOwner, AvatarUpload, MadeAvatar};
use crate::directory::model::Violation;
use crate::media::image::{PictureRefusal, StudioError};
use crate::media::{KeepError, Media};

/// The field of an avatar.
pub const AVATAR: &str = "avatar";
/// The framework's text for what is no picture.
const NOT_AN_IMAGE: &str =
    "Upload a valid image. The file you uploaded was either not an image or a corrupted image.";

/// Makes the work that turns an upload into stored files. `held` is kept until the files are stored.
pub fn upload(media: &Media, content: Bytes, held: impl Send + 'static) -> AvatarUpload {
    let media = media.clone();
    Box::new(move |owner: AvatarOwner| {
        async move {
            let made = media.make_safe(content, |content, extension| owner.name(content, extension)).await;
            let made = made.map_err(error_of)?;
            let (name, bytes) = (made.name.clone(), made.bytes);
            let store = async move {
                let stored = media.store(made).await.map_err(error_of);
                // Until here the files were in memory in place of the upload.
                drop(held);
                stored
            };
            let store = store.boxed();
            Ok(MadeAvatar { name, bytes, store })
        }
        .boxed()
    })
}

/// What a caller learns of an upload that was not kept.
fn error_of(error: KeepError) -> Error {
    match error {
        KeepError::Studio(StudioError::Refused(why)) => {
            let text = match why {
                PictureRefusal::NotAnImage => NOT_AN_IMAGE.to_owned(),
                other => other.to_string(),
            };
            Error::invalid(AVATAR, &Violation::Other(text))
        }
        KeepError::Studio(StudioError::Full { retry_after }) => Error::Busy { retry_after },
        KeepError::Studio(error @ StudioError::Broken(_)) => Error::broken("making an avatar safe", error),
        KeepError::Storage(error) => Error::MediaUnavailable(error.to_string()),
    }
}
