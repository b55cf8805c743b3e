//! The rule of forward authentication: a part of the path, in a closed vocabulary.

/// Who is let through: conditions joined by commas, all of which must hold. `active`, `staff`, `admin`, `group=3` and
/// `permission=1222` are conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Rule<'a> {
    text: &'a str,
    kinds: RuleKinds,
}

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Every user whose token is good.
    Active,
    /// Staff and admins.
    Staff,
    Admin,
    /// The members of the group with this id. An admin is not one by being an admin.
    Group(i64),
    /// Those who hold the permission with this code, and admins.
    Permission(i64),
}

/// Which kinds of conditions a rule has, one bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct RuleKinds(u8);

const NAMES: [&str; 5] = ["active", "staff", "admin", "group", "permission"];

impl<'a> Rule<'a> {
    /// Parses the part of a path.
    pub(in crate::http) fn parse(text: &'a str) -> Option<Self> {
        let mut kinds = RuleKinds::default();
        for condition in text.split(',') {
            kinds.0 |= Condition::parse(condition)?.bit();
        }
        Some(Self { text, kinds })
    }

    /// Which kinds of conditions it has.
    pub(in crate::http) fn kinds(&self) -> RuleKinds {
        self.kinds
    }

    /// Whether every condition passes this check.
    pub(super) fn all(&self, mut check: impl FnMut(Condition) -> bool) -> bool {
        self.text.split(',').all(|condition| Condition::parse(condition).is_some_and(&mut check))
    }
}

impl Condition {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "active" => Some(Self::Active),
            "staff" => Some(Self::Staff),
            "admin" => Some(Self::Admin),
            _ => match text.strip_prefix("group=") {
                Some(id) => number(id).map(Self::Group),
                None => number(text.strip_prefix("permission=")?).map(Self::Permission),
            },
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Active => 1,
            Self::Staff => 2,
            Self::Admin => 4,
            Self::Group(_) => 8,
            Self::Permission(_) => 16,
        }
    }
}

/// A positive number in its only spelling.
fn number(text: &str) -> Option<i64> {
    let is_plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

impl RuleKinds {
    /// How many there are, with the one of no condition.
    pub(in crate::http) const COUNT: usize = 1 << NAMES.len();

    /// Whether one of the conditions is a permission.
    pub(super) fn name_a_permission(self) -> bool {
        self.0 & Condition::Permission(0).bit() != 0
    }

    /// A number below [`Self::COUNT`].
    pub(in crate::http) fn index(self) -> usize {
        self.0.into()
    }

    /// The label of the metrics: the kinds, joined by commas. So the number of labels is bounded, whatever clients request.
    pub(in crate::http) fn label(self) -> String {
        let held = NAMES.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1);
        held.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_a_closed_vocabulary() {
        for (text, kinds) in [
            ("active", "active"),
            ("staff", "staff"),
            ("admin", "admin"),
            ("group=3", "group"),
            ("permission=1222", "permission"),
            ("group=3,active,group=4", "active,group"),
            ("permission=9223372036854775807", "permission"),
        ] {
            assert_eq!(Rule::parse(text).map(|rule| rule.kinds().label()).as_deref(), Some(kinds), "{text}");
        }
        for text in [
            "",
            ",",
            "active,",
            ",active",
            "active,,staff",
            "Active",
            " active",
            "active ",
            "anyone",
            "group",
            "group=",
            "group=0",
            "group=03",
            "group=-3",
            "group=+3",
            "group=3;",
            "group=9223372036854775808",
            "groups=3",
            "permission=x",
            "permission=1222.0",
            "group=\u{661}",
            "active%2Cstaff",
            "group%3D3",
            "staff|admin",
            "!admin",
        ] {
            assert_eq!(Rule::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn all_conditions_count() {
        let rule = Rule::parse("group=3,permission=1222").unwrap();
        let mut met = Vec::new();
        assert!(rule.all(|condition| {
            met.push(condition);
            true
        }));
        assert_eq!(met, [Condition::Group(3), Condition::Permission(1222)]);
        assert!(!rule.all(|condition| condition == Condition::Group(3)));
    }
}
