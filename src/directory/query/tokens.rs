//! Queries of the list of all tokens.

use ipnet::IpNet;

use super::parameters::{integer, other};
use super::range::midnight;
use super::{Column, ColumnType, NumberRange, Parameters, Query, SortValue, TimeRange};
use crate::directory::access::parse_scope;
use crate::directory::model::{
    ListedToken, Scope, Timestamp, TokenKind, TokenState, UserId, ValidationErrors, Violation, parse_network,
};

/// A query of tokens.
pub type TokenQuery = Query<TokenFilters, TokenColumn>;

/// The filters of tokens. All that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenFilters {
    /// With these ids.
    pub id: NumberRange,
    /// Of this user.
    pub user: Option<UserId>,
    /// With exactly this name.
    pub name: Option<String>,
    /// Whose key begins and ends like this.
    pub key: Option<KeyEnds>,
    /// Not of this user. No parameter sets it: the use case does.
    pub not_of: Option<UserId>,
    /// In this state.
    pub state: Option<TokenState>,
    /// Of this kind.
    pub kind: Option<TokenKind>,
    /// Issued in this range.
    pub created: TimeRange,
    /// Expiring in this range. A token that does not expire is in no range.
    pub expires: TimeRange,
    /// Last used in this range. A token that was never used is in no range.
    pub last_used: TimeRange,
    /// With an expiry, or without.
    pub has_expiry: Option<bool>,
    /// Ever used, or never.
    pub is_used: Option<bool>,
    /// Neither used nor issued at this time or later.
    pub unused_since: Option<Timestamp>,
    /// With this scope. A token without scopes is not one of them.
    pub scope: Option<Scope>,
    /// With scopes, or without.
    pub has_scopes: Option<bool>,
    /// For reading only, or not.
    pub is_read_only: Option<bool>,
    /// Limited to networks, one of which is this one.
    pub network: Option<IpNet>,
    /// Limited to networks, or not.
    pub has_networks: Option<bool>,
    /// Made by a sign-in, or not. No parameter sets it.
    pub is_sign_in: Option<bool>,
    /// When tokens of sign-ins and browser sessions must have been used last to be valid. No parameter sets it: the use case does.
    pub idle: IdleSince,
}

/// Tokens of a kind that were last used at this time or earlier have ended; `None` for a kind that may go unused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdleSince {
    /// Tokens of sign-ins.
    pub sign_in: Option<Timestamp>,
    /// Browser sessions.
    pub browser: Option<Timestamp>,
}

/// Both ends of a key, as lists and logs show them: `wrd_h3Kd...Yc0q`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEnds {
    /// The first characters.
    pub prefix: String,
    /// The last characters.
    pub last_four: String,
}

/// The columns that tokens can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the token's fields")]
pub enum TokenColumn {
    Id,
    CreatedAt,
    ExpiresAt,
    LastUsedAt,
}

impl TokenQuery {
    /// The names of the filters.
    pub const FILTERS: [&'static str; 24] = [
        "id_min",
        "id_max",
        "user_id",
        "name",
        "key",
        "state",
        "kind",
        "created_date",
        "created_from",
        "created_to",
        "expires_date",
        "expires_from",
        "expires_to",
        "last_used_date",
        "last_used_from",
        "last_used_to",
        "has_expiry",
        "is_used",
        "unused_since",
        "scope",
        "has_scopes",
        "read_only",
        "network",
        "has_networks",
    ];

    /// Parses a query from its parameters. Collects all errors.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, ValidationErrors> {
        Self::read("tokens", pairs, &Self::FILTERS, TokenFilters::read)
    }
}

impl TokenQuery {
    /// The same query, without the tokens of this user.
    pub(in crate::directory) fn leaving_out(&self, user: Option<UserId>) -> Self {
        let mut query = self.clone();
        query.filters.not_of = user;
        query
    }

    /// The same query for tokens of this user alone.
    pub(in crate::directory) fn of_one(&self, user: UserId) -> Self {
        let mut query = self.clone();
        query.filters.user = Some(user);
        query
    }

    /// The same query, which knows which tokens have gone unused for too long.
    pub(in crate::directory) fn knowing_idle(mut self, idle: IdleSince) -> Self {
        self.filters.idle = idle;
        self
    }
}

impl TokenFilters {
    fn read(given: &mut Parameters<'_>) -> Self {
        // Tokens have no index for a search, and one that is ignored would show tokens that were not meant.
        if given.value("search").is_some_and(|terms| !terms.is_empty()) {
            given.refuse("search", &other("Tokens cannot be searched: use user_id, name or key."));
        }
        Self {
            id: NumberRange::read(given, ["id_min", "id_max"]),
            not_of: None,
            user: given.parsed("user_id", |raw| integer(raw).and_then(UserId::try_from)),
            name: given.parsed("name", |raw| match raw.contains('\0') {
                true => Err(Violation::NullCharacter),
                false => Ok(raw.to_owned()),
            }),
            key: given.parsed("key", key_ends),
            state: given.parsed("state", |raw| {
                choice(raw, TokenState::ALL.into_iter().find(|state| state.as_str() == raw))
            }),
            kind: given.parsed("kind", |raw| choice(raw, TokenKind::from_stored(raw))),
            created: TimeRange::read(given, "created"),
            expires: TimeRange::read(given, "expires"),
            last_used: TimeRange::read(given, "last_used"),
            has_expiry: given.flag("has_expiry"),
            is_used: given.flag("is_used"),
            unused_since: given.day("unused_since").map(midnight),
            scope: given.parsed("scope", parse_scope),
            has_scopes: given.flag("has_scopes"),
            is_read_only: given.flag("read_only"),
            network: given.parsed("network", parse_network),
            has_networks: given.flag("has_networks"),
            is_sign_in: None,
            idle: IdleSince::default(),
        }
    }
}

fn choice<T>(raw: &str, found: Option<T>) -> Result<T, Violation> {
    found.ok_or_else(|| Violation::Choice(raw.to_owned()))
}

/// Parses both ends of a key. A complete key is refused, because it does not belong into a command line.
fn key_ends(raw: &str) -> Result<KeyEnds, Violation> {
    let are_short = |(first, last): &(&str, &str)| first.chars().count() <= 8 && last.chars().count() <= 4;
    let ends = raw.split_once("...").filter(|ends| are_short(ends) && !raw.contains('\0'));
    let (prefix, last_four) = ends.ok_or_else(|| {
        other("Give both ends of the key as lists and logs show them, such as wrd_h3Kd...Yc0q, not the whole key.")
    })?;
    // Of a key of Wardroom, lists show exactly so much. Ends that are shorter would find nothing.
    if prefix.starts_with("wrd_") && (prefix.len(), last_four.len()) != (8, 4) {
        return Err(other(
            "Give the ends as lists show them: the first 8 characters of the key and the last 4.",
        ));
    }
    Ok(KeyEnds { prefix: prefix.to_owned(), last_four: last_four.to_owned() })
}

impl Column for TokenColumn {
    type Row = ListedToken;

    const ALL: &'static [(&'static str, Self)] = &[
        ("id", Self::Id),
        ("created_at", Self::CreatedAt),
        ("expires_at", Self::ExpiresAt),
        ("last_used_at", Self::LastUsedAt),
    ];
    const ID: Self = Self::Id;

    fn kind(self) -> ColumnType {
        match self {
            Self::Id | Self::CreatedAt => ColumnType::Number,
            Self::ExpiresAt | Self::LastUsedAt => ColumnType::NullableNumber,
        }
    }

    fn value(self, row: &ListedToken) -> SortValue {
        let time = |at: Option<Timestamp>| at.map_or(SortValue::Null, |at| SortValue::Number(at.as_micros()));
        match self {
            Self::Id => SortValue::Number(row.token.id.get()),
            Self::CreatedAt => time(Some(row.token.created_at)),
            Self::ExpiresAt => time(row.token.expires_at),
            Self::LastUsedAt => time(row.token.last_used_at),
        }
    }
}
