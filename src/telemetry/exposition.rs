//! The two text formats of metrics: OpenMetrics 1.0, and the older text format of Prometheus (0.0.4).
//!
//! The library writes OpenMetrics. The older format differs only in its comments: they name the samples and not the family,
//! and there are no units and no end.

use std::fmt::Write as _;

/// The format of a response with metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus.
    Plain,
}

impl Exposition {
    /// Chooses the format by an Accept header, as Prometheus sends it: the one with the higher quality. Without a header that
    /// names OpenMetrics, it is the plain format.
    pub fn negotiate(accept: &str) -> Self {
        let quality = |wanted: &[&str]| {
            let ranges = accept.split(',').filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let name = parts.next()?.to_ascii_lowercase();
                let quality =
                    parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
                quality.filter(|_| wanted.contains(&name.as_str()))
            });
            ranges.fold(0.0_f32, f32::max)
        };
        let open = quality(&["application/openmetrics-text"]);
        if open > 0.0 && open >= quality(&["text/plain"]) { Self::OpenMetrics } else { Self::Plain }
    }

    /// Returns the value of Content-Type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Converts OpenMetrics text into the format 0.0.4.
pub(super) fn plain(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = None;
    for line in open.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(_), Some(about)) => help = Some(about),
            (Some("#"), Some("TYPE"), Some(family), Some(kind)) => {
                let (ending, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    kind => ("", kind),
                };
                if let Some(help) = help.take() {
                    let _ = writeln!(text, "# HELP {family}{ending} {help}");
                }
                let _ = writeln!(text, "# TYPE {family}{ending} {kind}");
            }
            (Some("#"), ..) => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_format_is_chosen() {
        for (accept, expected) in [
            ("", Exposition::Plain),
            ("*/*", Exposition::Plain),
            ("text/plain", Exposition::Plain),
            ("application/openmetrics-text", Exposition::OpenMetrics),
            ("application/openmetrics-text;version=1.0.0", Exposition::OpenMetrics),
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Exposition::OpenMetrics,
            ),
            ("application/openmetrics-text; q=0.5, text/plain", Exposition::Plain),
            ("application/openmetrics-text;q=0", Exposition::Plain),
            ("application/openmetrics-text;q=x", Exposition::Plain),
        ] {
            assert_eq!(Exposition::negotiate(accept), expected, "{accept}");
        }
    }

    #[test]
    fn comments_name_the_samples() {
        let open = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{c=\"d e\"} 1\n# HELP v Version.\n# TYPE v info\nv_info{version=\"1\"} 1\n\
                    # HELP s_seconds Age.\n# TYPE s_seconds gauge\n# UNIT s_seconds seconds\ns_seconds 2.5\n# EOF\n";
        let expected = "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{c=\"d e\"} 1\n# HELP v_info Version.\n# TYPE v_info gauge\nv_info{version=\"1\"} 1\n\
                        # HELP s_seconds Age.\n# TYPE s_seconds gauge\ns_seconds 2.5\n";
        assert_eq!(plain(open), expected);
    }
}
