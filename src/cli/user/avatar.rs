//! The picture of a user on the command line: a file, or none.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::accounts::PictureChange;
use crate::cli::report::CliError;

/// The largest file that is read, in bytes: the most that the setting `avatar_max_bytes` may be, and one byte.
const READ_MAX: u64 = (64 << 20) + 1;

/// The picture of a new user.
#[derive(Args, Default, PartialEq)]
pub(super) struct AvatarArgs {
    /// The picture: a PNG, JPEG, WebP or GIF file. It is stored without its name and metadata.
    #[arg(long, value_name = "FILE")]
    avatar: Option<PathBuf>,
}

/// The picture of a user that may have one.
#[derive(Args, Default, PartialEq)]
pub(super) struct ChangedAvatar {
    #[command(flatten)]
    new: AvatarArgs,
    /// Remove the picture.
    #[arg(long, conflicts_with = "avatar")]
    no_avatar: bool,
}

impl AvatarArgs {
    /// Reads the file.
    pub(super) fn read(self) -> Result<Option<PictureChange>, CliError> {
        self.avatar.map(|path| content(&path).map(PictureChange::New)).transpose()
    }
}

impl ChangedAvatar {
    /// Reads the file, if there is one.
    pub(super) fn read(self) -> Result<Option<PictureChange>, CliError> {
        if self.no_avatar { Ok(Some(PictureChange::None)) } else { self.new.read() }
    }
}

fn content(path: &Path) -> Result<bytes::Bytes, CliError> {
    let unreadable = |error: std::io::Error| {
        CliError::usage(format!(
            "--avatar: cannot read {}: {error}; give the path of a picture",
            path.display()
        ))
    };
    let mut content = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(READ_MAX).read_to_end(&mut content).map_err(unreadable)?;
    Ok(content.into())
}
