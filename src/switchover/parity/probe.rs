//! The requests that both servers are sent, in their order.
//!
//! Never in here: a method that could change data. The old server is a live system.

use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method};

use super::error::ParityError;
use super::keys::{Keys, ProbeKey};

/// The requests without a valid key: a name, and the `Authorization` header.
const KEYLESS: [(&str, Option<&str>); 5] = [
    (" without Authorization", None),
    (" with another scheme", Some("Bearer x")),
    (" with Token alone", Some("Token")),
    (" with three parts", Some("Token one two")),
    // As long as the framework's keys, but not hexadecimal, so that no token has this key.
    (" with an unknown key", Some("Token wardroom-compare-asks-with-a-key-of-nobody")),
];

/// One request for both servers.
pub(super) struct Probe {
    /// `GET`, `HEAD` or `OPTIONS`.
    pub(super) method: Method,
    /// The path and query.
    pub(super) path: PathAndQuery,
    credentials: Credentials,
}

enum Credentials {
    /// One of [`KEYLESS`].
    Keyless(&'static str, Option<&'static str>),
    Key(Arc<ProbeKey>),
}

impl Probe {
    /// Names it in the report. The name is the same for all keys.
    pub(super) fn label(&self) -> String {
        let credentials = match self.credentials {
            Credentials::Keyless(name, _) => name,
            Credentials::Key(_) => "",
        };
        format!("{} {}{credentials}", self.method, self.path)
    }

    /// Returns the key that it is sent with.
    pub(super) fn key(&self) -> Option<&ProbeKey> {
        match &self.credentials {
            Credentials::Keyless(..) => None,
            Credentials::Key(key) => Some(key),
        }
    }

    /// Builds the `Authorization` header.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let mut value = match &self.credentials {
            Credentials::Keyless(_, header) => HeaderValue::from_static((*header)?),
            // A key is visible ASCII, so this is always a valid header.
            Credentials::Key(key) => HeaderValue::from_str(&format!("Token {}", key.reveal())).ok()?,
        };
        value.set_sensitive(true);
        Some(value)
    }
}

/// Counts the requests for a number of keys.
pub(super) fn count(paths: usize, keys: u64, only_tokens: bool) -> u64 {
    let once = if only_tokens { 0 } else { (KEYLESS.len() + FIRST.len() - EACH.len()) as u64 };
    (paths as u64).saturating_mul(keys.saturating_add(once))
}

/// The methods of the requests with the first key.
static FIRST: [Method; 3] = [Method::GET, Method::HEAD, Method::OPTIONS];
/// The methods of the requests with every other key.
static EACH: [Method; 1] = [Method::GET];

/// Returns all requests: those without a key, then `GET` of every path with every key. An error is the last item.
pub(super) fn probes(
    paths: Vec<PathAndQuery>,
    keys: Keys,
    only_tokens: bool,
) -> impl Iterator<Item = Result<Probe, ParityError>> + Send {
    let mut keyless = Vec::new();
    if !only_tokens {
        for path in &paths {
            keyless.extend(KEYLESS.map(|(name, header)| Probe {
                method: Method::GET,
                path: path.clone(),
                credentials: Credentials::Keyless(name, header),
            }));
        }
    }
    let mut is_first = !only_tokens;
    let keyed = keys.flat_map(move |key| match key {
        Err(error) => vec![Err(error)],
        Ok(key) => {
            let key = Arc::new(key);
            let methods = if std::mem::take(&mut is_first) { &FIRST[..] } else { &EACH[..] };
            let probes = paths.iter().flat_map(|path| methods.iter().map(move |method| (path, method)));
            let probes = probes.map(|(path, method)| {
                let credentials = Credentials::Key(Arc::clone(&key));
                Ok(Probe { method: method.clone(), path: path.clone(), credentials })
            });
            probes.collect()
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
            keys.iter().map(|key| Ok(ProbeKey::new(key.as_bytes(), "line 1".to_owned()).unwrap())).collect();
        let counted = count(paths.len(), keys.len() as u64, only_tokens);
        let probes: Vec<_> = self::probes(paths, Box::new(made.into_iter()), only_tokens).collect();
        assert_eq!(probes.len() as u64, counted);
        probes
            .into_iter()
            .map(|probe| {
                let probe = probe.unwrap();
                assert!([Method::GET, Method::HEAD, Method::OPTIONS].contains(&probe.method));
                let value = probe.authorization().map(|value| value.to_str().unwrap().to_owned());
                format!("{}: {}", probe.label(), value.unwrap_or_default())
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
