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

/// The preflights that a browser sends for a page: for reading, and for a change with the headers that pages written for
/// Django send.
const PREFLIGHTS: [Preflight; 2] = [
    Preflight { method: Method::GET, headers: "authorization" },
    Preflight { method: Method::PATCH, headers: "authorization,content-type,x-csrftoken,x-requested-with" },
];

/// One request for both servers.
pub(super) struct Probe {
    /// `GET`, `HEAD` or `OPTIONS`.
    pub(super) method: Method,
    /// The path and query.
    pub(super) path: PathAndQuery,
    /// The page for which a browser sends it, if one does.
    pub(super) page: Option<PageRequest>,
    credentials: Credentials,
}

/// A request that a browser sends for a page of another origin.
pub(super) struct PageRequest {
    /// The page's origin.
    pub(super) origin: HeaderValue,
    /// What is asked first, if it is a preflight.
    pub(super) preflight: Option<Preflight>,
}

/// What a preflight asks for.
#[derive(Clone)]
pub(super) struct Preflight {
    /// The method of the request to come.
    pub(super) method: Method,
    /// The names of its headers, with commas between.
    pub(super) headers: &'static str,
}

enum Credentials {
    /// One of [`KEYLESS`], or none: a preflight has no key.
    Keyless(&'static str, Option<&'static str>),
    Key(Arc<ProbeKey>),
}

impl Probe {
    fn new(method: &Method, path: &PathAndQuery, credentials: Credentials) -> Self {
        Self { method: method.clone(), path: path.clone(), page: None, credentials }
    }

    /// Names it in the report. The name is the same for all keys.
    pub(super) fn label(&self) -> String {
        let credentials = match self.credentials {
            Credentials::Keyless(name, _) => name,
            Credentials::Key(_) => "",
        };
        let page = self.page.as_ref().map(PageRequest::label).unwrap_or_default();
        format!("{} {}{credentials}{page}", self.method, self.path)
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

impl PageRequest {
    fn label(&self) -> String {
        let origin = String::from_utf8_lossy(self.origin.as_bytes());
        match &self.preflight {
            Some(preflight) => format!(" as a preflight for {} from {origin}", preflight.method),
            None => format!(" from {origin}"),
        }
    }
}

/// The methods of the requests with the first key.
static FIRST: [Method; 3] = [Method::GET, Method::HEAD, Method::OPTIONS];
/// The methods of the requests with every other key.
static EACH: [Method; 1] = [Method::GET];

/// What is requested, for any number of keys.
pub(super) struct ProbeList {
    pub(super) paths: Vec<PathAndQuery>,
    /// The origins of pages.
    pub(super) origins: Vec<HeaderValue>,
    /// Whether to leave out `HEAD`, `OPTIONS` and the requests without a valid key.
    pub(super) only_tokens: bool,
}

impl ProbeList {
    /// Counts the requests for a number of keys.
    pub(super) fn count(&self, keys: u64) -> u64 {
        let plain = if self.only_tokens { 0 } else { KEYLESS.len() + FIRST.len() - EACH.len() };
        let pages = self.origins.len() * (PREFLIGHTS.len() + 1);
        (self.paths.len() as u64).saturating_mul(keys.saturating_add((plain + pages) as u64))
    }

    /// Returns all requests: those without a key, then `GET` of every path with every key. An error is the last item.
    pub(super) fn probes(self, keys: Keys) -> impl Iterator<Item = Result<Probe, ParityError>> + Send {
        let keyless = if self.only_tokens { Vec::new() } else { self.keyless() };
        let mut is_first = true;
        let keyed = keys.flat_map(move |key| match key {
            Err(error) => vec![Err(error)],
            Ok(key) => {
                let first = std::mem::take(&mut is_first);
                self.keyed(&Arc::new(key), first).into_iter().map(Ok).collect()
            }
        });
        keyless.into_iter().map(Ok).chain(keyed)
    }

    fn keyless(&self) -> Vec<Probe> {
        let of = |path| {
            KEYLESS.map(|(name, header)| Probe::new(&Method::GET, path, Credentials::Keyless(name, header)))
        };
        self.paths.iter().flat_map(of).collect()
    }

    /// The requests with one key; with the first one also those of pages.
    fn keyed(&self, key: &Arc<ProbeKey>, first: bool) -> Vec<Probe> {
        let methods = if first && !self.only_tokens { &FIRST[..] } else { &EACH[..] };
        let credentials = || Credentials::Key(Arc::clone(key));
        let mut probes = Vec::new();
        for path in &self.paths {
            probes.extend(methods.iter().map(|method| Probe::new(method, path, credentials())));
            for origin in self.origins.iter().filter(|_| first) {
                let page = |preflight| Some(PageRequest { origin: origin.clone(), preflight });
                for preflight in PREFLIGHTS {
                    let none = Credentials::Keyless("", None);
                    let probe = Probe::new(&Method::OPTIONS, path, none);
                    probes.push(Probe { page: page(Some(preflight)), ..probe });
                }
                probes.push(Probe { page: page(None), ..Probe::new(&Method::GET, path, credentials()) });
            }
        }
        probes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(
        paths: &[&'static str],
        origins: &[&'static str],
        keys: &[&str],
        only_tokens: bool,
    ) -> Vec<String> {
        let paths: Vec<_> = paths.iter().map(|path| PathAndQuery::from_static(path)).collect();
        let made: Vec<_> =
            keys.iter().map(|key| Ok(ProbeKey::new(key.as_bytes(), "line 1".to_owned()).unwrap())).collect();
        let origins = origins.iter().map(|origin| HeaderValue::from_static(origin)).collect();
        let asked = ProbeList { paths, origins, only_tokens };
        let counted = asked.count(keys.len() as u64);
        let probes: Vec<_> = asked.probes(Box::new(made.into_iter())).collect();
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
            labels(&["/a", "/b?c"], &[], &["k1", "k2"], true),
            ["GET /a: Token k1", "GET /b?c: Token k1", "GET /a: Token k2", "GET /b?c: Token k2"]
        );
        assert_eq!(
            labels(&["/a"], &[], &["k1", "k2"], false),
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
    #[test]
    fn every_origin_is_tried_once_for_each_path() {
        assert_eq!(
            labels(&["/a"], &["https://b", "null"], &["k1", "k2"], true),
            [
                "GET /a: Token k1",
                "OPTIONS /a as a preflight for GET from https://b: ",
                "OPTIONS /a as a preflight for PATCH from https://b: ",
                "GET /a from https://b: Token k1",
                "OPTIONS /a as a preflight for GET from null: ",
                "OPTIONS /a as a preflight for PATCH from null: ",
                "GET /a from null: Token k1",
                "GET /a: Token k2",
            ]
        );
    }
}
