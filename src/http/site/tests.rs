//! Hosts, schemes and clients, as far as proxies report them.

use super::*;
use crate::config::SettingType;

fn settings(proxies: &str) -> SiteSettings {
    SiteSettings {
        allowed_hosts: AllowedHosts::parse("*").unwrap(),
        trusted_proxies: TrustedProxies::parse(proxies).unwrap(),
        public_url: None,
        media_url: "/media/".into(),
        default_host: "www.example.com".into(),
    }
}

fn peer_of(text: &str) -> PeerAddress {
    text.parse().map_or(PeerAddress::Unix, PeerAddress::Ip)
}

#[test]
fn the_client_is_the_nearest_address_that_is_no_proxy_in_every_form() {
    let settings = settings("10.0.0.0/8,fd00::/8");
    for (peer, header, client, unreadable) in [
        ("10.0.0.1:80", "198.51.100.1:51231", "198.51.100.1", None),
        ("10.0.0.1:80", "1.2.3.4, [2001:db8::7]:443", "2001:db8::7", None),
        ("10.0.0.1:80", "1.2.3.4,\"[2001:db8::7]\"", "2001:db8::7", None),
        ("[::ffff:10.0.0.1]:80", "1.2.3.4, ::ffff:198.51.100.1", "198.51.100.1", None),
        // Proxies in any form are passed over, and so are empty items.
        (
            "[fd00::1]:80",
            "198.51.100.1, [fd00::9]:1234, ::ffff:10.0.0.2 , , 10.0.0.3:80,",
            "198.51.100.1",
            None,
        ),
        // Beyond the nearest stranger nothing is read.
        ("10.0.0.1:80", "nonsense, 198.51.100.1", "198.51.100.1", None),
        // What cannot be read is reported, and nothing beyond it is believed.
        ("10.0.0.1:80", "198.51.100.1, unknown", "10.0.0.1", Some("unknown")),
        ("10.0.0.1:80", "198.51.100.1, \u{e9}, 10.0.0.2", "10.0.0.2", Some("\u{e9}")),
        ("10.0.0.1:80", "", "10.0.0.1", None),
        ("10.0.0.1:80", "10.0.0.2, 10.0.0.3", "10.0.0.2", None),
        // No header of a stranger is read.
        ("[::ffff:192.0.2.9]:80", "unknown", "192.0.2.9", None),
        ("unix", "198.51.100.1", "unknown", None),
    ] {
        let found = nearest(header.as_bytes(), &settings, peer_of(peer));
        let address = client.parse().ok();
        let is_proxy = address.is_some_and(|address| settings.trusted_proxies.trusts(Some(address)));
        let unreadable = unreadable.map(str::as_bytes);
        assert_eq!(found, Client { address, unreadable, is_proxy }, "{header}");
        assert_eq!(found.known(), address.filter(|_| !client.starts_with("10.0.0.")), "{header}");
    }
}

#[test]
fn a_unix_socket_is_trusted_by_its_word_and_has_no_address_of_its_own() {
    let trusting = settings("unix,10.0.0.0/8");
    for (header, client, unreadable) in [
        ("198.51.100.1", "198.51.100.1", None),
        ("1.2.3.4, 198.51.100.1, 10.0.0.3", "198.51.100.1", None),
        ("198.51.100.1, unknown", "none", Some("unknown")),
        ("", "none", None),
    ] {
        let found = nearest(header.as_bytes(), &trusting, PeerAddress::Unix);
        let (address, unreadable) = (client.parse().ok(), unreadable.map(str::as_bytes));
        let is_proxy = address.is_none();
        assert_eq!(found, Client { address, unreadable, is_proxy }, "{header}");
        assert_eq!(found.known(), address, "{header}");
    }
    let https = |settings: &SiteSettings| scheme([&b"https"[..]], settings, PeerAddress::Unix, false).ok();
    assert_eq!(https(&trusting), Some(Scheme::Https));
    assert_eq!(https(&settings("0.0.0.0/0,::/0")), Some(Scheme::Http), "every address is not every client");
}

#[test]
fn a_forwarded_scheme_counts_as_django_counts_it() {
    let settings = settings("10.0.0.1");
    let of = |peer: &str, lines: &[&str], tls| {
        let lines = lines.iter().map(|line| line.as_bytes());
        scheme(lines, &settings, peer_of(peer), tls).ok()
    };
    for (lines, expected) in [
        (vec![], Some(Scheme::Http)),
        (vec!["https"], Some(Scheme::Https)),
        (vec!["http"], Some(Scheme::Http)),
        (vec!["https, https"], Some(Scheme::Https)),
        (vec!["https,http"], Some(Scheme::Https)),
        (vec!["http,https"], Some(Scheme::Http)),
        (vec![" https\t, http"], Some(Scheme::Https)),
        (vec![""], Some(Scheme::Http)),
        (vec![",https"], Some(Scheme::Http)),
        (vec!["https", "https,http"], Some(Scheme::Https)),
        (vec!["https", "http"], None),
        // Django compares exactly.
        (vec!["HTTPS"], Some(Scheme::Unknown)),
        (vec!["wss"], Some(Scheme::Unknown)),
    ] {
        assert_eq!(of("10.0.0.1:80", &lines, false), expected, "{lines:?}");
        assert_eq!(of("10.0.0.2:80", &lines, false), Some(Scheme::Http), "a stranger's");
        assert_eq!(of("10.0.0.2:80", &lines, true), Some(Scheme::Https), "over TLS");
    }
}

#[test]
fn absolute_urls_are_kept_and_media_may_be_elsewhere() {
    let site = |media_url: &str| Site {
        base: "http://a".to_owned(),
        path: String::new(),
        media_url: media_url.to_owned(),
    };
    for stored in ["https://cdn.example/a/ann.jpg", "HTTP://x/é b?c#d", "https://cdn.example"] {
        for media_url in ["/media/", "https://files.example/"] {
            assert_eq!(site(media_url).media(Some(stored)).as_deref(), Some(stored));
        }
    }
    for (media_url, name, url) in [
        ("/media/", "a b.png", "http://a/media/a%20b.png"),
        ("https://cdn.example/", "a b.png", "https://cdn.example/a%20b.png"),
        ("https://cdn.example:8443/m/x/", "/a.png", "https://cdn.example:8443/m/x/a.png"),
        ("https://cdn.example/m/", "../../../up.png", "https://cdn.example/up.png"),
        ("/media/", "javascript:alert(1)", "http://a/media/javascript%3Aalert(1)"),
        ("/media/", "//cdn.example/x", "http://a/media/cdn.example/x"),
        ("/media/", "https:/cdn/x", "http://a/media/https%3A/cdn/x"),
        ("/media/", "https:///x", "http://a/media/https%3A/x"),
    ] {
        assert_eq!(site(media_url).media(Some(name)).as_deref(), Some(url), "{media_url} {name}");
    }
}

#[test]
fn file_names_become_paths_as_django_makes_them() {
    for (name, path) in [
        ("avatars/alex_profile.jpg", "/media/avatars/alex_profile.jpg"),
        ("a b+c:d@e,f.png", "/media/a%20b%2Bc%3Ad%40e%2Cf.png"),
        ("100%20.png", "/media/100%2520.png"),
        ("é.png", "/media/%C3%A9.png"),
        ("(1)~!*'.png", "/media/(1)~!*'.png"),
        ("/lead.png", "/media/lead.png"),
        ("a\\b.png", "/media/a/b.png"),
        ("a//b/./c/../d.png", "/media/a/b/d.png"),
        ("../up.png", "/up.png"),
        ("a?b#c;d", "/media/a%3Fb%23c%3Bd"),
    ] {
        assert_eq!(media_path("/media/", name), path, "{name}");
    }
}
