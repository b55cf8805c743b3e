//! What is asked: the requests that both servers are sent alike, in their order.
//!
//! Never in here: a method that could change anything. An old server is somebody's live system.

use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method};

use super::error::ParityError;
use super::keys::{Key, Keys};

/// The ways to ask without a good key: what they are called, and the `Authorization` header.
const KEYLESS: [(&str, Option<&str>); 5] = [
    (" without Authorization", None),
    (" with another scheme", Some("Bearer x")),
    (" with Token alone", Some("Token")),
    (" with three parts", Some("Token one two")),
    // The length of the framework's keys, and no hexadecimal number as they are: it is nobody's.
    (" with an unknown key", Some("Token wardroom-compare-asks-with-a-key-of-nobody")),
];

/// One request, for both servers.
pub(super) struct Question {
    /// `GET`, `HEAD` or `OPTIONS`.
    pub(super) method: Method,
    /// What is asked for.
    pub(super) path: PathAndQuery,
    credentials: Credentials,
}

enum Credentials {
    /// One of [`KEYLESS`].
    Keyless(&'static str, Option<&'static str>),
    Key(Arc<Key>),
}

impl Question {
    /// What it is called in the report; the same for all keys.
    pub(super) fn label(&self) -> String {
        let credentials = match self.credentials {
            Credentials::Keyless(name, _) => name,
            Credentials::Key(_) => "",
        };
        format!("{} {}{credentials}", self.method, self.path)
    }

    /// Whose key it is sent with.
    pub(super) fn key(&self) -> Option<&Key> {
        match &self.credentials {
            Credentials::Keyless(..) => None,
            Credentials::Key(key) => Some(key),
        }
    }

    /// Its `Authorization` header.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let mut value = match &self.credentials {
            Credentials::Keyless(_, header) => HeaderValue::from_static((*header)?),
            // A key is visible ASCII, so this is always a header.
            Credentials::Key(key) => HeaderValue::from_str(&format!("Token {}", key.reveal())).ok()?,
        };
        value.set_sensitive(true);
        Some(value)
    }
}

/// How many questions there are for so many keys.
pub(super) fn count(paths: usize, keys: u64, only_tokens: bool) -> u64 {
    let once = if only_tokens { 0 } else { (KEYLESS.len() + FIRST.len() - EACH.len()) as u64 };
    (paths as u64).saturating_mul(keys.saturating_add(once))
}

/// Asked with the first key.
static FIRST: [Method; 3] = [Method::GET, Method::HEAD, Method::OPTIONS];
/// Asked with every other key.
static EACH: [Method; 1] = [Method::GET];

/// All questions: the keyless ones, then `GET` of every path with every key. An error is the last item.
pub(super) fn questions(
    paths: Vec<PathAndQuery>,
    keys: Keys,
    only_tokens: bool,
) -> impl Iterator<Item = Result<Question, ParityError>> + Send {
    let mut keyless = Vec::new();
    if !only_tokens {
        for path in &paths {
            keyless.extend(KEYLESS.map(|(name, header)| Question {
                method: Method::GET,
                path: path.clone(),
                credentials: Credentials::Keyless(name, header),
            }));
        }
    }
    let mut is_first = !only_tokens;
    let keyed = keys.flat_map(move |key| match key {
        Err(mistake) => vec![Err(mistake)],
        Ok(key) => {
            let key = Arc::new(key);
            let methods = if std::mem::take(&mut is_first) { &FIRST[..] } else { &EACH[..] };
            let asked = paths.iter().flat_map(|path| methods.iter().map(move |method| (path, method)));
            let asked = asked.map(|(path, method)| {
                let credentials = Credentials::Key(Arc::clone(&key));
                Ok(Question { method: method.clone(), path: path.clone(), credentials })
            });
            asked.collect()
        }
    });
    keyless.into_iter().map(Ok).chain(keyed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(paths: &[&'static str], keys: &[&str], only_tokens: bool) -> Vec<String> {
        let paths: Vec<_> = paths.iter().map(|path| PathAndQuery::from_static(path)).collect();
        let made: Vec<_> =
            keys.iter().map(|key| Ok(Key::new(key.as_bytes(), "line 1".to_owned()).unwrap())).collect();
        let counted = count(paths.len(), keys.len() as u64, only_tokens);
        let asked: Vec<_> = questions(paths, Box::new(made.into_iter()), only_tokens).collect();
        assert_eq!(asked.len() as u64, counted);
        asked
            .into_iter()
            .map(|question| {
                let question = question.unwrap();
                assert!([Method::GET, Method::HEAD, Method::OPTIONS].contains(&question.method));
                let value = question.authorization().map(|value| value.to_str().unwrap().to_owned());
                format!("{}: {}", question.label(), value.unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn every_path_is_asked_with_every_key_and_the_failures_once() {
        assert_eq!(
            labels(&["/a", "/b?c"], &["k1", "k2"], true),
            ["GET /a: Token k1", "GET /b?c: Token k1", "GET /a: Token k2", "GET /b?c: Token k2"]
        );
        assert_eq!(
            labels(&["/a"], &["k1", "k2"], false),
            [
                "GET /a without Authorization: ",
                "GET /a with another scheme: Bearer x",
                "GET /a with Token alone: Token",
                "GET /a with three parts: Token one two",
                "GET /a with an unknown key: Token wardroom-compare-asks-with-a-key-of-nobody",
                "GET /a: Token k1",
                "HEAD /a: Token k1",
                "OPTIONS /a: Token k1",
                "GET /a: Token k2",
            ]
        );
    }
}
