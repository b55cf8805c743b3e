//! What is counted for the charts of the admin site.

use super::Timestamp;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal;)+) => {
        /// What is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ActivityKind {
            $($(#[$doc])* $kind,)+
        }

        impl ActivityKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// The name in the database.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// A sign-in to the API with a password.
    ApiSignIn = "sign_in.api";
    /// One that failed.
    ApiSignInFailed = "sign_in.api.failed";
    /// One that was not checked, because of too many failures before or too many at once.
    ApiSignInLimited = "sign_in.api.limited";
    /// A sign-in to the admin site with a password.
    SiteSignIn = "sign_in.site";
    /// One that failed.
    SiteSignInFailed = "sign_in.site.failed";
    /// One that was not checked, because of too many failures before or too many at once.
    SiteSignInLimited = "sign_in.site.limited";
    /// A request to the API with a status below 400.
    RequestAnswered = "request.answered";
    /// One with status 401, 403 or 429.
    RequestRefused = "request.refused";
    /// One with another status from 400 to 499.
    RequestInvalid = "request.invalid";
    /// One with a status of 500 or more.
    RequestFailed = "request.failed";
    /// A key that no token has.
    KeyUnknown = "key.unknown";
    /// The key of an expired token.
    KeyExpired = "key.expired";
    /// The key of a revoked token.
    KeyRevoked = "key.revoked";
    /// The key of a sign-in that was not used for too long.
    KeyIdle = "key.idle";
    /// A key that was sent from outside the networks of its token.
    KeyOutside = "key.outside";
    /// The key of a user who is not active.
    KeyInactive = "key.inactive";
    /// The key of a browser session, sent to the API.
    KeyBrowser = "key.browser";
}

impl ActivityKind {
    /// Returns the kind of a name; `None` for one of another version.
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }

    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// How finely activity is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivitySpan {
    /// By the hour; kept for 90 days.
    Hour,
    /// By the day (UTC); kept for two years.
    Day,
}

impl ActivitySpan {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Its length in microseconds.
    pub fn micros(self) -> i64 {
        match self {
            Self::Hour => 3_600_000_000,
            Self::Day => 24 * 3_600_000_000,
        }
    }

    /// Returns when the hour or day of a time began, in microseconds.
    pub fn start(self, at: Timestamp) -> i64 {
        let micros = at.as_micros();
        micros.saturating_sub(micros.rem_euclid(self.micros()))
    }
}

/// How often something happened in an hour or a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActivityCount {
    /// When the hour or day began, in microseconds.
    pub starts_at: i64,
    /// What happened.
    pub kind: ActivityKind,
    /// How often.
    pub count: u64,
}
