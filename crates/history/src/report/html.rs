//! A report as one page of HTML with pictures in it: no script, nothing loaded from anywhere.

use super::{Hour, Line, Report, date, grouped, millis, table};

const STYLE: &str = "\
:root{--ink:#1b2426;--paper:#fff;--muted:#5c6a6d;--line:#d9e0e0;--one:#0f766e;--two:#b45309}\
@media(prefers-color-scheme:dark){:root{--ink:#e6edec;--paper:#12191b;--muted:#93a3a5;--line:#2b3739;--one:#5eead4;--two:#fbbf24}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:960px;margin:32px auto;padding:0 16px}\
h1{font-size:22px;margin-bottom:4px}h2{font-size:17px;margin-top:32px}.note{color:var(--muted)}.verdict{font-size:18px}\
table{border-collapse:collapse;width:100%}td,th{padding:4px 8px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}\
.num{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}code{font-size:13px;overflow-wrap:anywhere}\
svg{width:100%;height:auto}.axis{stroke:var(--line)}.first{stroke:var(--one)}.second{stroke:var(--two)}.area{fill:var(--one);opacity:.15}\
.mark{stroke:var(--muted);stroke-dasharray:3 3}text{fill:var(--muted);font-size:11px}.wide{overflow-x:auto}";

/// Size of a picture.
const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 160.0;
/// Room at its left and bottom for words.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 20.0;

/// The page.
pub(super) fn page(report: &Report) -> String {
    let title = format!("Howdah, {} to {} UTC", date(report.from), date(report.to));
    let word = report.period.word();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body>\n\
         <h1>{title}</h1>\n<p class=\"verdict\">{}</p>\n",
        escaped(&report.verdict)
    );
    if !report.hours.is_empty() {
        page.push_str("<h2>Hour by hour</h2>\n");
        let pictures: [(&str, Value, Option<Value>, Format); 3] = [
            ("Statements per second", |hour| Some(hour.rate), Some(|hour| Some(hour.errors)), rate),
            (
                "Times of statements: P50 and P99",
                |hour| hour.p50_ms,
                Some(|hour| hour.p99_ms),
                |ms| millis(Some(ms)),
            ),
            ("Servers at work, on average", |hour| Some(hour.busy), None, rate),
        ];
        for (title, first, second, format) in pictures {
            page.push_str(&picture(report, title, (first, second), format));
        }
    }
    page.push_str(&format!(
        "<h2>In numbers</h2>\n<table><thead><tr><th></th><th class=\"num\">this {word}</th><th class=\"num\">the one before</th></tr></thead><tbody>\n"
    ));
    for [name, now, before] in table(report) {
        page.push_str(&format!(
            "<tr><td>{name}</td><td class=\"num\">{now}</td><td class=\"num\">{before}</td></tr>\n"
        ));
    }
    page.push_str("</tbody></table>\n");
    list(&mut page, "Statements that took the most time", &report.top);
    list(&mut page, "Slower than before", &report.slower);
    list(&mut page, "New", &report.new);
    items(
        &mut page,
        "What changed",
        report.marks.iter().map(|mark| {
            let at = date(mark.at_ms / 1_000);
            format!(
                "<span class=\"note\">{at}</span> {}: {}",
                escaped(&mark.kind),
                escaped(&mark.text)
            )
        }),
    );
    items(&mut page, "Not known", report.missing.iter().map(|one| escaped(one)));
    page.push_str("</body></html>\n");
    page
}

type Value = fn(&Hour) -> Option<f64>;
type Format = fn(f64) -> String;

fn rate(value: f64) -> String {
    if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn items(page: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let items: String = items.map(|item| format!("<li>{item}</li>\n")).collect();
    if !items.is_empty() {
        page.push_str(&format!("<h2>{title}</h2>\n<ul>\n{items}</ul>\n"));
    }
}

/// Lines over time, hours apart; a gap where nothing was observed.
fn picture(
    report: &Report,
    title: &str,
    (first, second): (Value, Option<Value>),
    format: Format,
) -> String {
    let length = (report.to - report.from).max(1) as f64;
    let x = |at: u64| LEFT + (WIDTH - LEFT) * (at.saturating_sub(report.from) as f64 / length);
    let all = report.hours.iter().flat_map(|hour| [first(hour), second.and_then(|of| of(hour))]);
    let most = all.flatten().fold(0.0, f64::max).max(0.001);
    let y = |value: f64| (HEIGHT - BOTTOM) * (1.0 - value / most / 1.1);
    let half = 1_800;
    let path = |value: Value| {
        let (mut path, mut last) = (String::new(), None);
        for hour in &report.hours {
            let Some(of) = value(hour) else {
                last = None;
                continue;
            };
            let next = last.is_some_and(|last| hour.at - last <= 3_600);
            let step = if next { 'L' } else { 'M' };
            path.push_str(&format!("{step}{:.1} {:.1} ", x(hour.at + half), y(of)));
            last = Some(hour.at);
        }
        path
    };
    let mut drawn = String::new();
    for share in [0.0, 0.5, 1.0] {
        let (at, label) = (y(most * share), format(most * share));
        drawn.push_str(&format!(
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT - 6.0,
            at + 4.0,
        ));
    }
    for part in 0..=4 {
        let at = report.from + (report.to - report.from) * part / 4;
        let anchor = if part == 4 { "end" } else { "start" };
        drawn.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{HEIGHT}\" text-anchor=\"{anchor}\">{}</text>",
            x(at),
            date(at)
        ));
    }
    for mark in &report.marks {
        let at = x(mark.at_ms / 1_000);
        drawn.push_str(&format!(
            "<line class=\"mark\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"{:.0}\"><title>{}</title></line>",
            HEIGHT - BOTTOM,
            escaped(&mark.text)
        ));
    }
    let line = |class: &str, path: &str| {
        format!(
            "<path class=\"{class}\" fill=\"none\" stroke-width=\"2\" stroke-linecap=\"round\" d=\"{path}\"/>"
        )
    };
    drawn.push_str(&line("first", &path(first)));
    if let Some(second) = second {
        drawn.push_str(&line("second", &path(second)));
    }
    format!(
        "<p class=\"note\">{title}</p>\n<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{title}\">{drawn}</svg>\n",
        HEIGHT + 6.0
    )
}

fn list(page: &mut String, title: &str, lines: &[Line]) {
    if lines.is_empty() {
        return;
    }
    page.push_str(&format!(
        "<h2>{title}</h2>\n<div class=\"wide\"><table><thead><tr><th class=\"num\">Time</th><th class=\"num\">Calls</th><th class=\"num\">Failed</th><th class=\"num\">P95</th><th class=\"num\">Before</th><th>Statement</th></tr></thead><tbody>\n"
    ));
    for line in lines {
        page.push_str(&format!(
            "<tr><td class=\"num\">{:.1} %</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td><code>{}</code><br><span class=\"note\">{} on {}</span></td></tr>\n",
            100.0 * line.share,
            grouped(line.calls),
            grouped(line.errors),
            millis(line.p95_ms),
            millis(line.p95_before_ms),
            escaped(&line.statement),
            escaped(&line.user),
            escaped(&line.database),
        ));
    }
    page.push_str("</tbody></table></div>\n");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
