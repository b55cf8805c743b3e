//! What the identity cache keeps of a user for forward authentication: the facts that rules depend on, and the lines of the
//! identity headers.

use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::rule::{Condition, Rule};
use crate::config::IdentityHeaders;
use crate::directory::access::scope_list;
use crate::directory::model::Scope;
use crate::directory::{CachedFor, Denial, Identity, NamedIdentity, Render};

/// What is escaped in a value: everything but visible ASCII, and the escape itself.
const VALUE: &AsciiSet = &CONTROLS.add(b' ').add(b'%');
/// The scopes of a token without any: all that its owner may do. No scope has this name. The header of a client
/// who passes is never empty, because that takes the scope `me_read`. Some proxies leave out an empty one, and a narrow token must
/// not look like a full one where the header is missing.
const ALL: &str = "*";
/// In an item of a list also what separates items.
const ITEM: &AsciiSet = &VALUE.add(b',');

const STAFF: u8 = 1;
const ADMIN: u8 = 2;
/// The token can only read. What the application does is unknown, so it is not let through.
const ONLY_READS: u8 = 4;
/// The token has scopes. It is not let through where a permission among them is not enough.
const SCOPED: u8 = 8;
/// The token has scopes without the one for its owner's record, which is what the headers are made of.
const WITHOUT_ME: u8 = 16;

/// What a client learns whose token is too narrow.
const READS: &str = "This token can only read, and it is not known what the application does.";
const LACKS_ME: &str = "This token lacks the scope me_read.";
const NEEDS_PERMISSION: &str =
    "This token has scopes. It passes only rules that name permissions, all of which are among its scopes.";

/// Makes the body that is cached.
pub(super) struct RenderFacts<'a, F> {
    /// The names of the headers. They are fixed while the server runs.
    pub(super) names: &'a IdentityHeaders,
    /// Whether the client may cause a look-up.
    pub(super) may_look_up: &'a F,
}

impl<F> Clone for RenderFacts<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for RenderFacts<'_, F> {}

impl<F: Fn() -> bool + Sync> Render for RenderFacts<'_, F> {
    const FOR: CachedFor = CachedFor::ForwardAuth;

    /// Writes a byte of flags, the number of groups and of permissions (four bytes each), the ids and codes (eight bytes each;
    /// all numbers little-endian), then the lines.
    fn render(&self, found: &NamedIdentity) -> Bytes {
        let Identity { user, rights, token } = &found.identity;
        let narrowing = &token.narrowing;
        let flags = [
            (user.is_staff, STAFF),
            (user.is_admin, ADMIN),
            (narrowing.read_only, ONLY_READS),
            (narrowing.scopes.is_some(), SCOPED),
            (!found.identity.has(Scope::MeRead), WITHOUT_ME),
        ];
        let flags = flags.iter().filter(|(held, _)| *held).fold(0, |all, (_, flag)| all | flag);
        let mut facts = vec![flags];
        for count in [user.groups.len(), rights.len()] {
            facts.extend_from_slice(&u32::try_from(count).unwrap_or(0).to_le_bytes());
        }
        for number in user.groups.iter().map(|group| group.get()).chain(rights.iter().copied()) {
            facts.extend_from_slice(&number.to_le_bytes());
        }
        for (name, value) in self.names.names().iter().zip(values(found)) {
            facts.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        facts.into()
    }

    fn may_look_up(&self) -> bool {
        (self.may_look_up)()
    }
}

/// The values of the identity headers, in the order of [`IdentityHeaders::names`].
fn values(found: &NamedIdentity) -> [String; 9] {
    let user = &found.identity.user;
    let scopes = found.identity.effective_scopes().map(|scopes| scope_list(&scopes).join(","));
    let is_full = scopes.is_none();
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
        flag(user.is_staff && is_full),
        flag(user.is_admin && is_full),
        scopes.unwrap_or_else(|| ALL.to_owned()),
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

    /// Why the user is not let through by this rule; `None` if the user is.
    pub(super) fn refusal(&self, rule: &Rule<'_>) -> Option<String> {
        (!self.meet(rule)).then(|| match self.flags {
            flags if flags & ONLY_READS != 0 => READS.to_owned(),
            flags if flags & WITHOUT_ME != 0 => LACKS_ME.to_owned(),
            flags if flags & SCOPED != 0 => NEEDS_PERMISSION.to_owned(),
            _ => Denial::NoRight.to_string(),
        })
    }

    /// Whether the user meets every condition of the rule, with a token that is not too narrow for it. To an application, a
    /// client who passes is simply its user: so a token with scopes passes only if the rule itself says what it is for.
    fn meet(&self, rule: &Rule<'_>) -> bool {
        let is_admin = self.flags & ADMIN != 0;
        self.flags & (ONLY_READS | WITHOUT_ME) == 0
            && (self.flags & SCOPED == 0 || rule.kinds().name_a_permission())
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
