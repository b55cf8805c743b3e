//! The placeholders of templates: their names, and what their values may be.

/// A placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placeholder {
    /// A code for signing in.
    Code,
    /// The URL of a page.
    Link,
    /// How many minutes a code or a link is valid.
    Minutes,
    /// How many days a link is valid.
    Days,
    /// The name of the user.
    Username,
    /// When something happened.
    Time,
    /// The network from where something was done.
    Network,
    /// The name of the service: the setting `messages_service`.
    Service,
    /// The host of `public_url`.
    Host,
}

/// What is done with a value that is too long.
enum TooLong {
    /// It is cut, and ends with three dots.
    Cut,
    /// It is left out: a part of it would be wrong.
    Omit,
    /// It stays: a part of it would be useless.
    Keep,
}

impl Placeholder {
    pub(super) const ALL: [Self; 9] = [
        Self::Code,
        Self::Link,
        Self::Minutes,
        Self::Days,
        Self::Username,
        Self::Time,
        Self::Network,
        Self::Service,
        Self::Host,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Link => "link",
            Self::Minutes => "minutes",
            Self::Days => "days",
            Self::Username => "username",
            Self::Time => "time",
            Self::Network => "network",
            Self::Service => "service",
            Self::Host => "host",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The most characters of a value, and what is done with a longer one.
    fn limit(self) -> (usize, TooLong) {
        match self {
            Self::Code => (8, TooLong::Keep),
            Self::Link => (600, TooLong::Keep),
            Self::Minutes | Self::Days => (4, TooLong::Keep),
            Self::Username => (64, TooLong::Cut),
            Self::Service => (30, TooLong::Cut),
            Self::Time | Self::Network => (50, TooLong::Cut),
            Self::Host => (50, TooLong::Omit),
        }
    }

    /// The longest value that is expected.
    pub(super) fn longest(self) -> String {
        let letter = match self {
            Self::Code | Self::Minutes | Self::Days => "8",
            _ => "w",
        };
        letter.repeat(self.limit().0)
    }

    /// Makes a value harmless: one line, without marks that change the direction of text, and not too long.
    pub(super) fn clean(self, value: &str) -> String {
        let plain = |letter: char| if letter.is_control() || is_line_end(letter) { ' ' } else { letter };
        let value: String = value.chars().filter(|letter| !turns_text(*letter)).map(plain).collect();
        let value = value.trim();
        let (most, too_long) = self.limit();
        match (value.chars().count() > most, too_long) {
            (false, _) | (true, TooLong::Keep) => value.to_owned(),
            (true, TooLong::Omit) => String::new(),
            (true, TooLong::Cut) => {
                let kept: String = value.chars().take(most.saturating_sub(3)).collect();
                format!("{kept}...")
            }
        }
    }
}

/// The separators of lines and paragraphs (U+2028, U+2029) are no control characters.
fn is_line_end(letter: char) -> bool {
    matches!(letter, '\u{2028}' | '\u{2029}')
}

/// Marks, embeddings, overrides and isolates of the Unicode Bidirectional Algorithm (UAX 9), and the byte order mark.
pub(super) fn turns_text(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
