//! Prometheus' text format, version 0.0.4, and `OpenMetrics` 1.0, which differs in the
//! names of counters and in its end.
//!
//! Invariant: a family is written once, all of it together, with as many label values as it has labels.

use std::fmt::Write as _;

use super::Family;

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus' own.
    Prometheus,
    /// For those who ask for it.
    OpenMetrics,
}

impl Format {
    /// What an `Accept` header asks for.
    pub(crate) fn wanted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// The type of the answer.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A text that is being made.
#[derive(Debug)]
pub(super) struct Text {
    text: String,
    format: Format,
}

impl Text {
    pub(super) const fn new(format: Format) -> Self {
        Self { text: String::new(), format }
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    /// A family with its samples.
    pub(super) fn family<const N: usize>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = ([String; N], f64)>,
    ) {
        self.head(family);
        for (values, value) in samples {
            self.sample(family.name, family.labels, &values, value);
        }
    }

    /// A histogram: counts up to each limit, of all, and their sum in seconds.
    pub(super) fn histogram<const N: usize>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = ([String; N], Buckets)>,
    ) {
        self.head(family);
        let (name, mut labels) = (family.name, family.labels.to_vec());
        labels.push("le");
        for (values, buckets) in samples {
            let values = values.to_vec();
            for (limit, count) in buckets.counts.iter().copied().chain([("+Inf", buckets.count)]) {
                let mut values = values.clone();
                values.push(limit.to_owned());
                self.sample(&format!("{name}_bucket"), &labels, &values, count as f64);
            }
            self.sample(&format!("{name}_sum"), family.labels, &values, buckets.sum);
            self.sample(&format!("{name}_count"), family.labels, &values, buckets.count as f64);
        }
    }

    fn head(&mut self, family: &Family) {
        let (name, kind) = (family.name, family.kind.as_str());
        let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
        let (name, help) = match self.format {
            Format::Prometheus => (name, help),
            Format::OpenMetrics => {
                (name.strip_suffix("_total").unwrap_or(name), help.replace('"', "\\\""))
            }
        };
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[&str], values: &[String], value: f64) {
        debug_assert_eq!(labels.len(), values.len(), "{name}");
        self.text.push_str(name);
        for (at, (label, value)) in labels.iter().zip(values).enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{open}{label}=\"{value}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = match value {
            value if value.is_nan() => writeln!(self.text, "{close} NaN"),
            value => writeln!(self.text, "{close} {value}"),
        };
    }
}

/// Limits of buckets, as they are written and in microseconds.
pub(super) const LIMITS: [(&str, u64); 17] = [
    ("0.0001", 100),
    ("0.00025", 250),
    ("0.0005", 500),
    ("0.001", 1_000),
    ("0.0025", 2_500),
    ("0.005", 5_000),
    ("0.01", 10_000),
    ("0.025", 25_000),
    ("0.05", 50_000),
    ("0.1", 100_000),
    ("0.25", 250_000),
    ("0.5", 500_000),
    ("1", 1_000_000),
    ("2.5", 2_500_000),
    ("5", 5_000_000),
    ("10", 10_000_000),
    ("30", 30_000_000),
];

/// Limits of shorter times, in front of the others.
pub(super) const SHORT: [(&str, u64); 4] =
    [("0.000005", 5), ("0.00001", 10), ("0.000025", 25), ("0.00005", 50)];

/// A histogram as it is written.
#[derive(Debug, Clone, Default)]
pub(super) struct Buckets {
    /// Up to each limit, as it is written.
    pub(super) counts: Vec<(&'static str, u64)>,
    /// Of all.
    pub(super) count: u64,
    /// Of all, in seconds.
    pub(super) sum: f64,
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, SCORE};
    use super::*;

    #[test]
    fn labels_are_escaped_and_numbers_are_what_prometheus_reads() {
        let family = Family { name: "a", kind: Kind::Gauge, labels: &["x", "y"], help: "b\\c" };
        let mut text = Text::new(Format::Prometheus);
        text.family(&family, [([r#"q"\"#.to_owned(), "l\nm".to_owned()], 1.5)]);
        text.family(&SCORE, [([], f64::NAN)]);
        let lines: Vec<&str> = text.text.lines().collect();
        assert_eq!(lines[0], r"# HELP a b\\c");
        assert_eq!(lines[2], r#"a{x="q\"\\",y="l\nm"} 1.5"#);
        assert!(lines[5].ends_with(" NaN"));
    }
}
