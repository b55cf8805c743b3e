use super::*;
use crate::config::hosts::*;
use crate::config::urls::*;

fn shown<V: SettingType>(text: &str) -> Result<String, String> {
    V::parse(text).map(|value| V::show(&value))
}

fn takes<V: SettingType>(texts: &[&str]) {
    for text in texts {
        assert_eq!(shown::<V>(text).as_deref(), Ok(*text));
    }
}

fn refuses<V: SettingType>(texts: &[&str]) {
    for text in texts {
        assert!(V::parse(text).is_err(), "{text:?} was taken");
    }
}

#[test]
fn numbers_keep_their_limits() {
    takes::<Number<1, 1000>>(&["1", "1000"]);
    refuses::<Number<1, 1000>>(&[
        "",
        "0",
        "1001",
        "+5",
        "-1",
        "1.0",
        " 1",
        "4294967297",
        "99999999999999999999",
    ]);
}

#[test]
fn durations_need_a_unit_and_keep_their_limits() {
    type Wait = TimeSpan<1, 60_000>;
    takes::<Wait>(&["1ms", "500ms", "2s", "1m"]);
    assert_eq!(Wait::parse("60s"), Ok(Duration::from_secs(60)));
    refuses::<Wait>(&["", "2", "0s", "999us", "61s", "-1s", "soon"]);
    assert!(TimeSpan::<1, 3_600_000>::allowed().contains("from 1ms to 1h"));
}

#[test]
fn sizes_are_bytes_or_binary_units() {
    type Body = ByteSize<1024, { 1 << 30 }>;
    for (text, bytes) in [("65536", 65536), ("64KiB", 65536), ("1MiB", 1 << 20), ("1GiB", 1 << 30)] {
        assert_eq!(Body::parse(text), Ok(bytes));
    }
    assert_eq!((Body::show(&65536), Body::show(&65537)), ("64KiB".into(), "65537".into()));
    refuses::<Body>(&["", "KiB", "1023", "2GiB", "1MB", "1 MiB", "1.5MiB", "+1KiB", "18014398509481985KiB"]);
}

#[test]
fn addresses_are_ip_and_port() {
    takes::<Option<SocketAddr>>(&["", "127.0.0.1:9000", "[::]:0"]);
    refuses::<SocketAddr>(&["", "127.0.0.1", "localhost:80", "unix:/run/metrics.sock"]);
}

#[test]
fn a_database_url_shows_everything_but_its_password() {
    for (text, expected) in [
        ("postgres://app:pw@db:5432/w", "postgres://app:***@db:5432/w"),
        ("postgresql://app:p%40w@db/w?sslmode=require", "postgresql://app:***@db/w?sslmode=require"),
        ("postgres://app@db/w", "postgres://app@db/w"),
        ("postgres://app:@db/w", "postgres://app:@db/w"),
        ("postgres:///w?host=/run/postgresql", "postgres:///w?host=/run/postgresql"),
        ("postgres://app:a:b#c@[::1]:1,db2/w", "postgres://app:***@[::1]:1,db2/w"),
    ] {
        let url = DatabaseUrl::parse(text).unwrap();
        assert_eq!(DatabaseUrl::show(&url), expected);
        assert_eq!(format!("{url:?}"), format!("DatabaseUrl({expected})"));
        assert_eq!((url.expose(), DatabaseUrl::holds_secret(&url)), (text, text != expected));
    }
}

#[test]
fn a_database_url_whose_password_could_show_is_refused() {
    refuses::<DatabaseUrl>(&[
        "",
        "mysql://app@db/w",
        "host=db user=app password=pw",
        "postgres://",
        "postgres://app:pw@/w",
        "postgres://app:p@w@db/w",
        "postgres://app:p/w@db/w",
        "postgres://app:p?w@db/w",
        "postgres://db/w?password=pw",
        "postgres://db/w?pass%77ord=pw",
        "postgres://app:pw@db/w?user=a@b",
        "postgres://app:pw@db:port/w",
        "postgres://db/w?sslmode=sometimes",
    ]);
}

#[test]
fn a_public_url_is_scheme_and_host() {
    takes::<PublicUrl>(&[
        "http://a",
        "http://accounts_api:8000",
        "https://a.example:8443",
        "https://[::1]:8443",
    ]);
    let url = PublicUrl::parse("HTTPS://Accounts.Example:8443/").unwrap();
    assert_eq!((url.as_str(), url.host()), ("https://accounts.example:8443", "accounts.example:8443"));
    let plain = "a ftp://a //a http:// http:/// http://a/b http://a// http://a?b http://a#b http://u@a \
                 http://u:p@a http://a: http://a:x http://a:65536 http://.";
    refuses::<PublicUrl>(&plain.split_whitespace().chain(["", "http://a b"]).collect::<Vec<_>>());
}

#[test]
fn a_media_prefix_is_a_plain_path() {
    takes::<MediaUrl>(&["/media/", "/a/b-c_d.e~f/", "https://cdn.example/", "http://[::1]:8080/a/b/"]);
    assert_eq!(MediaUrl::parse("https://cdn.example").unwrap(), "https://cdn.example/");
    refuses::<MediaUrl>(&[
        "https://",
        "https:///a/",
        "ftp://a/",
        "https://cdn.example/a",
        "https://a/../",
        "//a/b/",
    ]);
    refuses::<MediaUrl>(&[
        "https://u:p@cdn.example/",
        "https://cdn.example/a/?b=/",
        "https://cdn.example//",
        "https://a:x/",
    ]);
    refuses::<MediaUrl>(&["", "/", "//", "media/", "/media", "/a//b/", "/../", "/a/./", "/a b/"]);
    refuses::<MediaUrl>(&["/a%20/", "/a?/", "/é/", "/a:b/"]);
}

#[test]
fn hosts_are_allowed_as_django_allows_them() {
    for (patterns, allowed, refused) in [
        (
            "example.com,LocalHost,127.0.0.1,[::1],final.example.",
            "example.com EXAMPLE.com example.com:8000 example.com. example.com.:8000 final.example \
             localhost:65536 127.0.0.1:80 [::1] [::1]:8000",
            "example.com.. www.example.com .example.com notexample.com ::1 [::1]. [0:0:0:0:0:0:0:1]",
        ),
        (
            ".example.com",
            "example.com example.com. a.example.com A.b.Example.Com:1 .example.com",
            "notexample.com example.com.evil com localhost",
        ),
        // Names of container networks have underscores, which Django refuses.
        (
            "accounts_api,.my_net",
            "accounts_api Accounts_API:8000 accounts_api. a_b.my_net my_net",
            "accounts-api accountsapi a_b",
        ),
        ("*", "anything.at.all [::ffff:10.0.0.1]:80 [dead:BEEF] - a_b a_b:80 _", "a@b"),
        ("", "", "localhost"),
    ] {
        let hosts = AllowedHosts::parse(patterns).unwrap();
        let answers = |list: &str, answer| list.split_whitespace().all(|host| hosts.allows(host) == answer);
        assert!(answers(allowed, true) && answers(refused, false), "{patterns}");
    }
}

#[test]
fn a_host_that_is_no_host_is_refused_even_by_the_star() {
    let any = AllowedHosts::parse("*").unwrap();
    let plain = ". .:80 :80 user@a user:pw@a a: a:x a:80:80 a:-1 a:+1 a/b a,b http://a bücher.example \u{212a} \
                 [ ] [] [:] [1] [1:] [::1 ::1] [::1]a [::1]: [::1]:x [::1]] [[::1] [::g] [fe80::1%eth0] *";
    for host in plain.split_whitespace().chain(["", " ", "a b", " a", "a ", "a\r", "a\n", "a\0"]) {
        assert!(!any.allows(host), "{host:?}");
    }
}

#[test]
fn a_host_pattern_that_could_never_match_is_an_error() {
    refuses::<AllowedHosts>(&[
        "a:80", ".", "*.a", "a_b:80", "http://a", "a,,b", "a,", ",", "::1", "[::1]:80", "a b",
    ]);
    assert_eq!(AllowedHosts::parse("a,b:1").unwrap_err(), "b:1");
    assert_eq!(shown::<AllowedHosts>(" A.b. , .C,* ").as_deref(), Ok("a.b,.c,*"));
    let mut hosts = AllowedHosts::parse("a").unwrap();
    hosts.also("Public.example:8443");
    assert!(hosts.allows("public.example") && hosts.allows("a") && !hosts.allows("b"));
}

#[test]
fn proxies_are_trusted_by_address_or_network() {
    for (list, trusted, distrusted) in [
        (
            "127.0.0.1, ::1,10.0.0.1/8,fd00::/8",
            "127.0.0.1 ::1 ::ffff:127.0.0.1 10.255.0.1 ::ffff:10.9.9.9 fd12::1",
            "127.0.0.2 11.0.0.1 fe80::1 ::2",
        ),
        (
            "::ffff:192.0.2.1,::ffff:198.51.100.0/120",
            "192.0.2.1 ::ffff:192.0.2.1 198.51.100.77",
            "192.0.2.2 198.51.101.77 ::1",
        ),
        ("::/0", "2001:db8::1", "192.0.2.1 ::ffff:192.0.2.1"),
        ("", "", "127.0.0.1 ::1"),
    ] {
        let proxies = TrustedProxies::parse(list).unwrap();
        let answers = |peers: &str, answer| {
            peers.split_whitespace().all(|peer| proxies.trusts(peer.parse().ok()) == answer)
        };
        assert!(answers(trusted, true) && answers(distrusted, false), "{list}");
    }
    let unix = |list| TrustedProxies::parse(list).unwrap().trusts(None);
    assert!(unix("unix") && unix("10.0.0.0/8, unix") && !unix("0.0.0.0/0,::/0") && !unix(""));
    takes::<TrustedProxies>(&["unix", "127.0.0.1,unix"]);
    refuses::<TrustedProxies>(&[
        "UNIX",
        "unix:",
        "localhost",
        "10.0.0.0/33",
        "127.0.0.1,",
        "1.2.3.4:80",
        "10.0.0.0/",
        "::1%lo",
    ]);
    assert_eq!(shown::<TrustedProxies>("::ffff:1.2.3.4, 10.0.0.0/8").as_deref(), Ok("1.2.3.4,10.0.0.0/8"));
}

#[test]
fn words_are_taken_as_they_are_written() {
    takes::<LogFormat>(&["auto", "human", "json"]);
    takes::<AccessLog>(&["none", "failures", "all"]);
    takes::<LogLevel>(&["info", "warn,wardroom::http=debug", "off"]);
    takes::<PathBuf>(&["wardroom-data", "/var/lib/wardroom"]);
    refuses::<AccessLog>(&["", "All", "some"]);
    refuses::<LogLevel>(&["", " ", "info,a=b=c", "loud", "info,", "warn,hyper"]);
    refuses::<PathBuf>(&["", "a\0b"]);
    assert_eq!(AccessLog::allowed(), "one of none, failures, all");
}

#[test]
fn words_are_three_characters_and_more_and_at_most_a_hundred() {
    takes::<WordList>(&["", "acme", "acme,road runner", "日本語"]);
    assert_eq!(WordList::parse(" Acme, RoadRunner"), Ok(vec!["acme".into(), "roadrunner".into()]));
    assert_eq!(WordList::parse("acme,ab"), Err("ab".into()));
    refuses::<WordList>(&["ab", "acme,,road", "acme,", &"x".repeat(65), "a\0bc"]);
    let words = |count: u32| (0..count).map(|n| format!("word{n}")).collect::<Vec<_>>().join(",");
    takes::<WordList>(&[&words(100)]);
    refuses::<WordList>(&[&words(101)]);
}
