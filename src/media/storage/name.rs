//! The names of media files.

/// The directory of uploaded avatars.
pub const AVATARS: &str = "users/avatars";

/// The longest name, in bytes. S3 allows 1,024.
const LONGEST: usize = 1000;
/// The longest step of a name, in bytes. File systems allow 255.
const LONGEST_STEP: usize = 255;

/// How long a file that never changes may be kept by browsers and caches.
pub const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// The media types of pictures that browsers show, by extension.
const PICTURES: [(&str, &str); 7] = [
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
];

/// The media type of a picture with this name; `None` for other files. SVG is no picture here, because it can run scripts.
pub fn picture_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    let found = PICTURES.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known));
    found.map(|(_, media_type)| *media_type)
}

/// The media type of a file with this name.
pub fn content_type(name: &str) -> &'static str {
    picture_type(name).unwrap_or("application/octet-stream")
}

/// Whether a file can have this name: a relative path of steps that lead down, without control characters. A step that
/// begins with a dot is hidden and never served.
pub fn is_good_name(name: &str) -> bool {
    let is_good_step = |step: &str| {
        !step.is_empty()
            && step.len() <= LONGEST_STEP
            && !step.starts_with('.')
            && !step.chars().any(|character| character.is_control() || character == '\\')
    };
    name.len() <= LONGEST && name.split('/').all(is_good_step)
}

/// The name of an uploaded avatar: `users/avatars/HASH.EXT`, or that of one of its squares,
/// `users/avatars/HASH.SIZE.EXT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AvatarFile<'a> {
    /// The hash.
    pub hash: &'a str,
    /// The side of the square; `None`: the full picture.
    pub size: Option<u16>,
    /// The extension: `jpg` or `png`.
    pub extension: &'a str,
}

impl<'a> AvatarFile<'a> {
    /// The sides of the squares.
    pub const SIZES: [u16; 4] = [64, 128, 256, 512];

    /// Reads a name; `None` if it is not one of an uploaded avatar.
    pub fn parse(name: &'a str) -> Option<Self> {
        Self::parse_file(name.strip_prefix(AVATARS)?.strip_prefix('/')?)
    }

    /// Reads the last part of a name, such as `0a1b.64.jpg`.
    pub fn parse_file(file: &'a str) -> Option<Self> {
        let (rest, extension) = file.rsplit_once('.')?;
        let (hash, size) = match rest.split_once('.') {
            Some((hash, size)) => (hash, Some(Self::size_of(size)?)),
            None => (rest, None),
        };
        let is_hash = (26..=64).contains(&hash.len())
            && hash.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        (is_hash && matches!(extension, "jpg" | "png")).then_some(Self { hash, size, extension })
    }

    /// Reads the side of a square.
    pub fn size_of(text: &str) -> Option<u16> {
        match text {
            "64" => Some(64),
            "128" => Some(128),
            "256" => Some(256),
            "512" => Some(512),
            _ => None,
        }
    }

    /// The full picture that this file belongs to.
    pub fn full(self) -> Self {
        Self { size: None, ..self }
    }

    /// The square of this picture with this side.
    pub fn square(self, size: u16) -> Self {
        Self { size: Some(size), ..self }
    }

    /// All files of this picture. The full one is the last, so that a removal that is cut short can be continued.
    pub fn family(self) -> Vec<String> {
        let squares = Self::SIZES.into_iter().map(|size| self.square(size));
        squares.chain([self.full()]).map(|file| file.name()).collect()
    }

    /// The name.
    pub fn name(self) -> String {
        let Self { hash, size, extension } = self;
        match size {
            Some(size) => format!("{AVATARS}/{hash}.{size}.{extension}"),
            None => format!("{AVATARS}/{hash}.{extension}"),
        }
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        if self.extension == "png" { "image/png" } else { "image/jpeg" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_down_and_are_not_hidden() {
        for good in ["a", "avatars/alex_profile.jpg", "users/avatars/é.png", "a b/c"] {
            assert!(is_good_name(good), "{good}");
        }
        let long = "a".repeat(256);
        let deep = "a/".repeat(600) + "a";
        for bad in ["", "/a", "a/", "a//b", "..", "a/../b", ".a", "a/.b", "a\0", "a\nb", "a\\b", &long, &deep]
        {
            assert!(!is_good_name(bad), "{bad}");
        }
    }

    #[test]
    fn an_avatar_and_its_squares_have_names() {
        let hash = "0123456789abcdef0123456789abcdef";
        let full = format!("users/avatars/{hash}.jpg");
        let avatar = AvatarFile::parse(&full).unwrap();
        assert_eq!((avatar.name(), avatar.content_type()), (full.clone(), "image/jpeg"));
        for size in AvatarFile::SIZES {
            assert_eq!(AvatarFile::size_of(&size.to_string()), Some(size));
        }
        for name in avatar.family() {
            let file = AvatarFile::parse(&name).unwrap();
            assert_eq!((file.name(), file.full()), (name.clone(), avatar));
        }
        for not in [
            format!("users/avatars/{hash}.65.jpg"),
            format!("users/avatars/{hash}.064.jpg"),
            format!("users/avatars/{hash}.64.64.jpg"),
            format!("users/avatars/{hash}.gif"),
            format!("users/avatars/{hash}"),
            format!("avatars/{hash}.jpg"),
            "users/avatars/ann.jpg".to_owned(),
            format!("users/avatars/{}.jpg", hash.to_uppercase()),
            format!("users/avatars/x/{hash}.jpg"),
        ] {
            assert_eq!(AvatarFile::parse(&not), None, "{not}");
        }
    }
}
