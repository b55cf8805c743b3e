//! The metrics: both formats, the process, the content of the database, and that a scrape is cheap.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wardroom::telemetry::{
    Exposition, MessageLabels, Metrics, OutboundLabels, OutcomeLabels, RequestLabels, Statistics,
    ThrottledLabels, render,
};

use crate::process::{Process, serve};
use crate::support::{Answer, Backend, Database, Request, both};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

async fn scrape(address: SocketAddr, accept: Option<&str>) -> Answer {
    let request = Request::new(address, "GET", "/metrics");
    match accept {
        Some(accept) => request.header("Accept", accept).send().await,
        None => request.send().await,
    }
}

/// Scrapes until the content was counted for the first time.
async fn counted(address: SocketAddr) -> String {
    let begun = Instant::now();
    loop {
        let text = scrape(address, None).await.body;
        if text.contains("wardroom_statistics_age_seconds ") {
            return text;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "never counted: {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The value of a sample.
fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{sample} is missing in:\n{text}")).parse().unwrap()
}

async fn filled(backend: Backend) -> Database {
    let database = Database::new(backend).await;
    let run = |args: &[&str]| {
        let ran = crate::cli::on(&database, args, "");
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    };
    for name in ["ann", "bob", "cleo", "dan"] {
        run(&["user", "add", name]);
    }
    run(&["user", "disable", "bob"]);
    run(&["user", "delete", "cleo", "--yes"]);
    for name in ["one", "two", "three"] {
        run(&["token", "issue", "ann", "--name", name]);
    }
    run(&["token", "revoke", "1"]);
    database
}

both! {
    async fn the_content_of_the_database_is_counted(backend: Backend) {
        let database = filled(backend).await;
        let mut process = serve(&database, &["--metrics-listen", "127.0.0.1:0"]);
        process.address("listening");
        let text = counted(process.address("metrics listening")).await;
        for (sample, expected) in [
            (r#"wardroom_users{state="active"}"#, 2.0),
            (r#"wardroom_users{state="inactive"}"#, 1.0),
            (r#"wardroom_users{state="deleted"}"#, 1.0),
            (r#"wardroom_tokens{kind="api",state="active"}"#, 2.0),
            (r#"wardroom_tokens{kind="api",state="ended"}"#, 1.0),
        ] {
            assert_eq!(value(&text, sample), expected, "{sample}");
        }
        assert!(value(&text, "wardroom_database_size_bytes") > 10_000.0);
        assert!(value(&text, "wardroom_statistics_age_seconds") < 60.0);
        assert!(value(&text, "wardroom_search_pending_age_seconds") >= 0.0);
        // The server has not yet been asked for a key, so it has not read the feed.
        assert!(value(&text, "wardroom_feed_unread_rows") >= 1.0);
    }
}

both! {
    /// However often it is scraped, the database is not read.
    async fn a_scrape_reads_nothing(backend: Backend) {
        let database = filled(backend).await;
        let mut process = serve(&database, &["--metrics-listen", "127.0.0.1:0"]);
        process.address("listening");
        let address = process.address("metrics listening");
        let reads = |text: &str| value(text, "wardroom_database_reads_total");
        // The jobs of a start have done their first round when nothing is read any more between two scrapes.
        let mut last = reads(&counted(address).await);
        let begun = Instant::now();
        loop {
            for _ in 0..50 {
                scrape(address, None).await;
            }
            let now = reads(&scrape(address, None).await.body);
            if now == last {
                break;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "each scrape reads: {last} and {now}");
            last = now;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_format_follows_accept_and_the_process_describes_itself() {
    let database = Database::new(Backend::Sqlite).await;
    let mut process = serve(&database, &["--metrics-listen", "127.0.0.1:0"]);
    process.address("listening");
    let address = process.address("metrics listening");
    let of_prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1";
    for (accept, expected) in [
        (None, PLAIN),
        (Some("*/*"), PLAIN),
        (Some("text/plain"), PLAIN),
        (Some("application/openmetrics-text"), OPENMETRICS),
        (Some(of_prometheus), OPENMETRICS),
    ] {
        let answer = scrape(address, accept).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(expected)), "{accept:?}");
        assert_eq!(answer.body.ends_with("# EOF\n"), expected == OPENMETRICS, "{accept:?}");
        let counter = if expected == OPENMETRICS {
            "wardroom_password_hashes"
        } else {
            "wardroom_password_hashes_total"
        };
        assert!(answer.body.contains(&format!("# TYPE {counter} counter\n")), "{}", answer.body);
    }
    let text = scrape(address, None).await.body;
    let now = wardroom::directory::Clock::system().unwrap().now().as_micros() as f64 / 1e6;
    assert!((0.0..600.0).contains(&(now - value(&text, "process_start_time_seconds"))), "{text}");
    assert!(value(&text, "process_cpu_seconds_total") > 0.0);
    let resident = value(&text, "process_resident_memory_bytes");
    assert!((1e6..1e10).contains(&resident), "{resident}");
    assert!(value(&text, "process_virtual_memory_bytes") >= resident);
    assert!(value(&text, "process_threads") >= 2.0);
    let (open, most) = (value(&text, "process_open_fds"), value(&text, "process_max_fds"));
    assert!(open >= 5.0 && open < most, "{open} of {most}");
    assert!(!text.contains("wardroom_tls_certificate_expiry_timestamp_seconds "), "there is no certificate");
}

/// The files of docs/monitoring, and what the server sends, by the tool of Prometheus itself: `scripts/test --judges`.
mod judges {
    use super::*;

    fn promtool(args: &[&str], input: Option<&str>) {
        let mut command = Command::new("promtool");
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitoring"));
        let mut child = command.spawn().expect("promtool, from Debian's package prometheus");
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, input.unwrap_or_default().as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let said =
            [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat();
        assert!(output.status.success(), "{args:?}: {said}");
    }

    #[test]
    #[ignore = "scripts/test --judges installs promtool"]
    fn promtool_accepts_the_rules_and_their_tests() {
        promtool(&["check", "rules", "alerts.yaml"], None);
        promtool(&["test", "rules", "alerts-test.yaml"], None);
    }

    /// How a Prometheus scrapes through a proxy with forward authentication.
    #[test]
    #[ignore = "scripts/test --judges installs promtool"]
    fn promtool_accepts_the_scrape_configuration_with_a_key() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/forward-auth/README.md");
        let page = std::fs::read_to_string(page).unwrap();
        let block = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let place = tempfile::tempdir().unwrap();
        let (key, config) = (place.path().join("key"), place.path().join("prometheus.yml"));
        std::fs::write(&key, "wrd_1vkoV9B3UiVgXyqGgYS4vZ0pLwzrTN2mFINE").unwrap();
        let named = block.replace("/etc/prometheus/wardroom-key", key.to_str().unwrap());
        assert_ne!(named, block);
        std::fs::write(&config, named).unwrap();
        promtool(&["check", "config", config.to_str().unwrap()], None);
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "scripts/test --judges installs promtool"]
    async fn promtool_accepts_what_the_server_sends() {
        let database = filled(Backend::Sqlite).await;
        let mut process: Process = serve(&database, &["--metrics-listen", "127.0.0.1:0"]);
        process.address("listening");
        let text = counted(process.address("metrics listening")).await;
        promtool(&["check", "metrics"], Some(&text));
    }
}

/// Every metric that a dashboard or a rule names is one that the server has.
#[test]
fn dashboard_and_rules_name_metrics_that_exist() {
    let metrics = Metrics::default();
    // A family is absent until it has a member.
    metrics.requests.get_or_create(&RequestLabels { route: "none".into(), method: "GET", status: 404 }).inc();
    metrics.authentications.get_or_create(&OutcomeLabels { outcome: "accepted" }).inc();
    metrics.throttled.get_or_create(&ThrottledLabels { policy: "token" }).inc();
    let sent = MessageLabels { kind: "code", channel: "sms", outcome: "sent" };
    metrics.messages.get_or_create(&sent).inc();
    metrics.outbound_calls.get_or_create(&OutboundLabels { kind: "s3", result: "2xx" }).inc();
    metrics.certificate_expiry.get_or_create(&[]).set(0);
    metrics.statistics.set(Statistics::default());
    let text = render(&metrics.registry(), Exposition::Plain).unwrap();
    let declared: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let is_declared = |name: &str| {
        let family =
            ["_bucket", "_count", "_sum"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
        declared.contains(&name) || declared.contains(&family)
    };
    let dashboard = include_str!("../../docs/monitoring/dashboard.json");
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).unwrap();
    let mut texts = vec![include_str!("../../docs/monitoring/alerts.yaml").to_owned()];
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()), "{panel}");
        for target in panel["targets"].as_array().unwrap_or(&vec![]) {
            texts.push(target["expr"].as_str().unwrap().to_owned());
        }
    }
    assert!(texts.len() > 10, "{}", texts.len());
    let mut seen = 0;
    for text in &texts {
        for word in text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_') {
            if word.starts_with("wardroom_") || word.starts_with("process_") {
                assert!(is_declared(word), "{word} in: {text}");
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "{seen}");
}
