//! An uploaded picture from its bytes to its files: made safe and named, then put into the store.

use bytes::Bytes;

use super::image::{PictureKind, PictureLimits, Studio, StudioError};
use super::storage::{AvatarFile, Storage, StorageError};
use crate::config::Config;
use crate::outbound::Door;

/// What makes uploads safe, and where they are kept. A clone is a pointer.
#[derive(Clone)]
pub struct Media {
    studio: Studio,
    storage: Storage,
}

/// A safe picture with its name, before it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPicture {
    /// The name of the full one. The squares have names beside it.
    pub name: String,
    /// The size of the full one in bytes.
    pub bytes: usize,
    /// The names and contents of all files.
    files: Vec<(String, Bytes)>,
}

/// Why an upload was not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// It is refused, or could not be looked at.
    #[error(transparent)]
    Studio(#[from] StudioError),
    /// The store did not take it.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Media {
    /// What the settings name. Fails if they cannot be used.
    pub fn of(config: &Config, door: &Door) -> Result<Self, StorageError> {
        let limits = PictureLimits {
            max_bytes: config.avatar_max_bytes,
            max_side: config.avatar_max_side,
            max_pixels: config.avatar_max_pixels.into(),
            decoder_memory: config.avatar_decoder_memory as u64,
            cpu_time: config.avatar_cpu_time,
        };
        Ok(Self::new(Studio::new(limits), Storage::of(config, door)?))
    }

    /// Brings the parts together.
    pub fn new(studio: Studio, storage: Storage) -> Self {
        Self { studio, storage }
    }

    /// The queue of pictures.
    pub fn studio(&self) -> &Studio {
        &self.studio
    }

    /// The store.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Makes an upload safe. `name` makes the name of the full picture from the upload and the extension.
    pub async fn make_safe(
        &self,
        upload: Bytes,
        name: impl FnOnce(&[u8], &str) -> String,
    ) -> Result<NamedPicture, KeepError> {
        let picture = self.studio.make_safe(upload.clone()).await?;
        let name = name(&upload, extension(picture.kind));
        let file = AvatarFile::parse(&name).ok_or_else(|| StorageError::Name(name.clone()))?;
        let bytes = picture.full.len();
        let squares = picture.squares.into_iter();
        let squares = squares.map(|(size, square)| (file.square(size).name(), Bytes::from(square)));
        let files = squares.chain([(name.clone(), picture.full.into())]).collect();
        Ok(NamedPicture { name, bytes, files })
    }

    /// Stores the files of a picture. The full one is written last: where it is, the squares are as well.
    pub async fn store(&self, picture: NamedPicture) -> Result<(), KeepError> {
        for (name, content) in picture.files {
            self.storage.put(&name, content).await?;
        }
        Ok(())
    }
}

/// The extension of the files of a picture.
fn extension(kind: PictureKind) -> &'static str {
    match kind {
        PictureKind::Jpeg => "jpg",
        PictureKind::Png => "png",
    }
}
