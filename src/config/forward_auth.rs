//! The type of the setting that names the identity headers of forward authentication.
//!
//! Never in here: the values of the headers.

use http::HeaderName;

use super::values::{SettingType, items, joined};

/// What the identity headers are about, in their order: the name of each in the setting, and its default header.
const FIELDS: [(&str, &str); 9] = [
    ("user", "remote-user"),
    ("user_id", "remote-user-id"),
    ("groups", "remote-groups"),
    ("group_names", "remote-group-names"),
    ("email", "remote-email"),
    ("name", "remote-name"),
    ("staff", "remote-staff"),
    ("admin", "remote-admin"),
    ("scopes", "remote-scopes"),
];
/// The presets: a word, and what stands in the place of `remote-`.
const PRESETS: [(&str, &str); 2] = [("remote", "remote-"), ("x-auth-request", "x-auth-request-")];
const DEFAULT_PREFIX: &str = "remote-";
const LONGEST: usize = 64;
/// Headers that mean something else, in a response or in the request that a proxy passes on.
const TAKEN: [&str; 38] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "host",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "origin",
    "pragma",
    "range",
    "ratelimit",
    "ratelimit-policy",
    "referer",
    "retry-after",
    "server",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
];
/// Beginnings of further ones.
const TAKEN_FAMILIES: [&str; 9] = [
    "access-control-",
    "content-",
    "cross-origin-",
    "if-",
    "proxy-",
    "sec-",
    "strict-transport-",
    "www-",
    "x-request-",
];
/// Further ones that a proxy sets or that the responses have.
const TAKEN_OF_PROXIES: [&str; 12] = [
    "referrer-policy",
    "x-content-type-options",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-uri",
    "x-frame-options",
    "x-original-url",
    "x-real-ip",
    "x-token-expires-at",
];

/// The names of the identity headers.
#[derive(Clone, Debug)]
pub struct IdentityHeaders([HeaderName; FIELDS.len()]);

impl IdentityHeaders {
    /// The names: of the username, the user's id, the ids and names of groups, the email address, the full name, whether the
    /// user is staff and an admin, and of the token's scopes.
    pub fn names(&self) -> &[HeaderName; FIELDS.len()] {
        &self.0
    }

    /// The default names, with another beginning.
    fn of_preset(prefix: &str) -> Option<Self> {
        let name = |field: usize| {
            let default = FIELDS.get(field).map_or("", |(_, header)| *header);
            let own = default.strip_prefix(DEFAULT_PREFIX).unwrap_or(default);
            HeaderName::try_from(format!("{prefix}{own}")).ok()
        };
        let names: Option<Vec<_>> = (0..FIELDS.len()).map(name).collect();
        names?.try_into().ok().map(Self)
    }
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self(FIELDS.map(|(_, header)| HeaderName::from_static(header)))
    }
}

impl SettingType for IdentityHeaders {
    type Parsed = Self;
    const NAME: &'static str = "HEADERS";
    const LIST: bool = true;

    fn allowed() -> String {
        let fields = FIELDS.map(|(field, _)| field).join(", ");
        format!(
            "remote or x-auth-request, and then items such as user=X-Webauth-User, separated by commas; before the = {fields}; \
             after it a header of letters, digits and hyphens that means nothing else and is named once"
        )
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut found = Self::default();
        for (position, item) in items(text).enumerate() {
            let preset = PRESETS.iter().find(|(name, _)| *name == item).filter(|_| position == 0);
            if let Some(preset) = preset.and_then(|(_, prefix)| Self::of_preset(prefix)) {
                found = preset;
                continue;
            }
            let (field, header) = item.split_once('=').ok_or(item)?;
            let index = FIELDS.iter().position(|(name, _)| *name == field.trim()).ok_or(item)?;
            let name = header_name(header.trim()).ok_or(item)?;
            if let Some(slot) = found.0.get_mut(index) {
                *slot = name;
            }
        }
        let repeated = found
            .0
            .iter()
            .enumerate()
            .find(|(at, name)| found.0.iter().skip(at + 1).any(|other| other == *name));
        match repeated {
            Some((_, name)) => Err(name.to_string()),
            None => Ok(found),
        }
    }

    fn show(value: &Self) -> String {
        let preset = PRESETS
            .iter()
            .find(|(_, prefix)| Self::of_preset(prefix).is_some_and(|names| names.0 == value.0));
        match preset {
            Some((name, _)) => (*name).to_owned(),
            None => joined(
                &FIELDS
                    .iter()
                    .zip(&value.0)
                    .map(|((field, _), name)| format!("{field}={name}"))
                    .collect::<Vec<_>>(),
            ),
        }
    }
}

/// Checks the name of a header. Some programs take `_` for `-`, so a name with it would not be one name.
fn header_name(text: &str) -> Option<HeaderName> {
    let lower = text.to_ascii_lowercase();
    let is_plain = lower.starts_with(|first: char| first.is_ascii_alphabetic())
        && lower.len() <= LONGEST
        && lower.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_taken = TAKEN.contains(&lower.as_str())
        || TAKEN_OF_PROXIES.contains(&lower.as_str())
        || TAKEN_FAMILIES.iter().any(|family| lower.starts_with(family));
    HeaderName::try_from(lower).ok().filter(|_| is_plain && !is_taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        IdentityHeaders::parse(text).unwrap().names().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_preset_comes_first_and_single_names_replace_its_own() {
        assert_eq!(names("remote"), FIELDS.map(|(_, header)| header));
        assert_eq!(names(""), names("remote"));
        assert_eq!(names("x-auth-request")[..2], ["x-auth-request-user", "x-auth-request-user-id"]);
        let mixed = names("x-auth-request, user=X-WEBAUTH-USER");
        assert_eq!(mixed[..2], ["x-webauth-user", "x-auth-request-user-id"]);
        assert_eq!(names("user=X-Forwarded-User")[0], "x-forwarded-user");
        for text in ["remote", "x-auth-request", "user=x-webauth-user"] {
            let parsed = IdentityHeaders::parse(text).unwrap();
            assert_eq!(names(&IdentityHeaders::show(&parsed)), names(text));
        }
    }

    #[test]
    fn a_name_that_means_something_else_or_comes_twice_is_refused() {
        for text in [
            "nonsense",
            "user",
            "user=",
            "=x",
            "who=X-User",
            "user=Remote_User",
            "user=a b",
            "user=a:b",
            "user=é",
            "user=1x",
            "user=Host",
            "user=Content-Length",
            "user=Authorization",
            "user=Set-Cookie",
            "user=X-Forwarded-For",
            "user=X-Request-Id",
            "user=Sec-Fetch-Site",
            "user=Proxy-Authorization",
            "user=remote-email",
            "remote,remote",
            "user=x-a,x-auth-request",
            &format!("user={}", "a".repeat(65)),
        ] {
            assert!(IdentityHeaders::parse(text).is_err(), "{text}");
        }
    }
}
