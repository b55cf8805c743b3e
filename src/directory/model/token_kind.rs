//! Where a token came from, what made it, and whether it is valid.

/// Where a token came from, which decides how long it may live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Issued by name, for a script or a service.
    Api,
    /// Made by a sign-in. It always expires.
    SignIn,
    /// Imported from another system with its key.
    Imported,
    /// Made by a sign-in to the admin site. Its key is in a cookie, and is refused everywhere else. It always expires.
    Browser,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Api, Self::SignIn, Self::Imported, Self::Browser];

    /// Returns the value in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::SignIn => "sign_in",
            Self::Imported => "imported",
            Self::Browser => "browser",
        }
    }

    /// Whether tokens of this kind are a sign-in, with which all tokens derived from it end.
    pub fn is_sign_in(self) -> bool {
        matches!(self, Self::SignIn | Self::Browser)
    }

    /// Parses a stored value.
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What made a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Not recorded: an API token from before version 0.2, or a row written with SQL.
    Unknown,
    /// A sign-in.
    SignIn,
    /// Another token, which issued or rotated it.
    Token,
    /// An operator at the command line.
    Operator,
    /// An import.
    Import,
}

impl Maker {
    /// Returns the value in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::SignIn => "sign_in",
            Self::Token => "token",
            Self::Operator => "operator",
            Self::Import => "import",
        }
    }

    /// Parses a stored value.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Unknown, Self::SignIn, Self::Token, Self::Operator, Self::Import]
            .into_iter()
            .find(|maker| maker.as_str() == text)
    }
}

/// Whether a token is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It is valid.
    Active,
    /// It has expired.
    Expired,
    /// It was revoked.
    Revoked,
}

impl TokenState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Active, Self::Expired, Self::Revoked];

    /// Returns the value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}
