//! What the identity cache keeps of a user for forward authentication: the facts that rules depend on, and the lines of the
//! identity headers.

use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::rule::{Condition, Rule};
use crate::config::IdentityHeaders;
use crate::directory::model::Scope;
use crate::directory::{CachedFor, Identity, NamedIdentity, Render};

/// What is escaped in a value: everything but visible ASCII, and the escape itself.
const VALUE: &AsciiSet = &CONTROLS.add(b' ').add(b'%');
/// In an item of a list also what separates items.
const ITEM: &AsciiSet = &VALUE.add(b',');

const STAFF: u8 = 1;
const ADMIN: u8 = 2;
/// The token does not allow to be let through, whatever the rule says.
const TOO_NARROW: u8 = 4;

/// Makes the body that is cached. The names of the headers are fixed while the server runs.
#[derive(Clone, Copy)]
pub(super) struct RenderFacts<'a>(pub(super) &'a IdentityHeaders);

impl Render for RenderFacts<'_> {
    const FOR: CachedFor = CachedFor::ForwardAuth;

    /// Writes a byte of flags, the number of groups and of permissions (four bytes each), the ids and codes (eight bytes each;
    /// all numbers little-endian), then the lines.
    fn render(&self, found: &NamedIdentity) -> Bytes {
        let Identity { user, rights, token } = &found.identity;
        // What the application does is unknown, so a token that can only read cannot be let through.
        let is_narrow = token.narrowing.read_only || !found.identity.has(Scope::MeRead);
        let flags = [(user.is_staff, STAFF), (user.is_admin, ADMIN), (is_narrow, TOO_NARROW)];
        let flags = flags.iter().filter(|(held, _)| *held).fold(0, |all, (_, flag)| all | flag);
        let mut facts = vec![flags];
        for count in [user.groups.len(), rights.len()] {
            facts.extend_from_slice(&u32::try_from(count).unwrap_or(0).to_le_bytes());
        }
        for number in user.groups.iter().map(|group| group.get()).chain(rights.iter().copied()) {
            facts.extend_from_slice(&number.to_le_bytes());
        }
        for (name, value) in self.0.names().iter().zip(values(found)) {
            facts.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        facts.into()
    }
}

/// The values of the identity headers, in the order of [`IdentityHeaders::names`].
fn values(found: &NamedIdentity) -> [String; 8] {
    let user = &found.identity.user;
    let value = |text: &str| utf8_percent_encode(text, VALUE).to_string();
    let flag = |held: bool| if held { "true" } else { "false" }.to_owned();
    let groups: Vec<_> = user.groups.iter().map(ToString::to_string).collect();
    let names: Vec<_> =
        found.group_names.iter().map(|name| utf8_percent_encode(name, ITEM).to_string()).collect();
    [
        value(&user.username),
        user.id.to_string(),
        groups.join(","),
        names.join(","),
        value(user.email.as_deref().unwrap_or_default()),
        value(&user.full_name()),
        flag(user.is_staff),
        flag(user.is_admin),
    ]
}

/// The facts of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct CallerFacts<'a> {
    flags: u8,
    groups: &'a [u8],
    codes: &'a [u8],
    /// The lines of the identity headers, each with its end.
    pub(in crate::http) lines: &'a [u8],
}

impl<'a> CallerFacts<'a> {
    /// Splits what [`RenderFacts`] made.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (flags, rest) = body.split_first()?;
        let (groups, rest) = rest.split_first_chunk::<4>()?;
        let (codes, rest) = rest.split_first_chunk::<4>()?;
        let bytes = |count: &[u8; 4]| usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(8);
        let (groups, rest) = rest.split_at_checked(bytes(groups)?)?;
        let (codes, lines) = rest.split_at_checked(bytes(codes)?)?;
        Some(Self { flags: *flags, groups, codes, lines })
    }

    /// Whether the user meets every condition of the rule.
    pub(super) fn meet(&self, rule: &Rule<'_>) -> bool {
        let is_admin = self.flags & ADMIN != 0;
        self.flags & TOO_NARROW == 0
            && rule.all(|condition| match condition {
                Condition::Active => true,
                Condition::Staff => self.flags & (STAFF | ADMIN) != 0,
                Condition::Admin => is_admin,
                Condition::Group(id) => has(self.groups, id),
                Condition::Permission(code) => is_admin || has(self.codes, code),
            })
    }
}

fn has(numbers: &[u8], wanted: i64) -> bool {
    numbers.chunks_exact(8).any(|number| number == wanted.to_le_bytes())
}
