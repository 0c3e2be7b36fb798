//! Values with whiskers as horizontal bars, one a row, beside a level to compare with: an SVG file, black on white.

use askama::Template;

/// Height of a bar with its gap, in pixels.
const ROW: usize = 14;
/// Width of the names, in pixels.
const NAMES: f64 = 150.0;
/// Width of the scale, in pixels.
const SCALE: f64 = 420.0;
/// Space at the right end, for the numbers.
const NUMBERS: f64 = 60.0;
/// Height above the first bar: title and legend.
const HEAD: usize = 52;
/// Height below the last bar: the scale's numbers.
const FOOT: usize = 30;
/// Colours of groups, distinct for colour-blind readers (Okabe and Ito).
const COLORS: [&str; 3] = ["#0072b2", "#e69f00", "#009e73"];
/// Parts of the scale.
const PARTS: u8 = 4;

/// Bars on one scale, drawn from top to bottom.
#[derive(Debug, Clone, Default)]
pub struct BarChart {
    /// Heading.
    pub title: String,
    /// Names of the groups that bars belong to.
    pub groups: Vec<String>,
    /// The bars.
    pub bars: Vec<Bar>,
    /// A value that all are compared with, and its name.
    pub level: Option<(String, f64)>,
    /// Ends of the scale; what lies outside is drawn at the end.
    pub range: [f64; 2],
}

/// A value with its interval.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bar {
    /// What was measured.
    pub name: String,
    /// The value.
    pub value: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// Position of its group.
    pub group: usize,
}

/// A bar in pixels.
struct BarLine<'a> {
    name: &'a str,
    note: String,
    color: &'static str,
    y: usize,
    words_y: usize,
    middle_y: usize,
    length: String,
    whisker: [String; 2],
}

struct Tick {
    x: String,
    label: String,
}

/// An entry of the legend.
struct Entry<'a> {
    name: &'a str,
    color: &'static str,
    x: usize,
    words_x: usize,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<svg xmlns="http://www.w3.org/2000/svg" width="{{ width }}" height="{{ height }}" viewBox="0 0 {{ width }} {{ height }}" font-family="sans-serif" font-size="10">
<rect width="100%" height="100%" fill="white"/>
<text x="10" y="18" font-size="14">{{ title }}</text>
{%- for entry in legend %}
<rect x="{{ entry.x }}" y="28" width="10" height="10" fill="{{ entry.color }}"/><text x="{{ entry.words_x }}" y="37">{{ entry.name }}</text>
{%- endfor %}
{%- for tick in ticks %}
<line x1="{{ tick.x }}" x2="{{ tick.x }}" y1="{{ top }}" y2="{{ bottom }}" stroke="#dddddd"/><text x="{{ tick.x }}" y="{{ tick_y }}" text-anchor="middle">{{ tick.label }}</text>
{%- endfor %}
{%- for bar in bars %}
<text x="{{ names_x }}" y="{{ bar.words_y }}" text-anchor="end">{{ bar.name }}</text>
<rect x="{{ start_x }}" y="{{ bar.y }}" width="{{ bar.length }}" height="10" fill="{{ bar.color }}"/>
<line x1="{{ bar.whisker[0] }}" x2="{{ bar.whisker[1] }}" y1="{{ bar.middle_y }}" y2="{{ bar.middle_y }}" stroke="black"/>
<text x="{{ numbers_x }}" y="{{ bar.words_y }}">{{ bar.note }}</text>
{%- endfor %}
{%- if let Some((name, x)) = level %}
<line x1="{{ x }}" x2="{{ x }}" y1="{{ top }}" y2="{{ bottom }}" stroke="black" stroke-dasharray="4 3"/><text x="{{ x }}" y="{{ level_y }}" text-anchor="middle">{{ name }}</text>
{%- endif %}
</svg>
"##
)]
struct ChartTemplate<'a> {
    title: &'a str,
    width: String,
    height: usize,
    legend: Vec<Entry<'a>>,
    ticks: Vec<Tick>,
    bars: Vec<BarLine<'a>>,
    level: Option<(&'a str, String)>,
    top: usize,
    bottom: usize,
    tick_y: usize,
    level_y: usize,
    names_x: String,
    start_x: String,
    numbers_x: String,
}

fn pixels(value: f64) -> String {
    format!("{value:.1}")
}

impl BarChart {
    /// The chart as a file of its own.
    ///
    /// # Errors
    /// Only if formatting fails, which text and numbers do not.
    pub fn to_svg_file(&self) -> Result<String, askama::Error> {
        let bottom = HEAD + ROW * self.bars.len();
        let legend = self.groups.iter().enumerate().map(|(number, name)| Entry {
            name,
            color: COLORS[number % COLORS.len()],
            x: 10 + 90 * number,
            words_x: 25 + 90 * number,
        });
        let [low, high] = self.range;
        let tick = |part: u8| {
            let value = low + (high - low) * f64::from(part) / f64::from(PARTS);
            Tick { x: self.place(value), label: format!("{value}") }
        };
        let template = ChartTemplate {
            title: &self.title,
            width: pixels(NAMES + SCALE + NUMBERS),
            height: bottom + FOOT,
            legend: legend.collect(),
            ticks: (0..=PARTS).map(tick).collect(),
            bars: self.bars.iter().enumerate().map(|(row, bar)| self.line(bar, HEAD + ROW * row)).collect(),
            level: self.level.as_ref().map(|(name, value)| (name.as_str(), self.place(*value))),
            top: HEAD - 4,
            bottom,
            tick_y: bottom + 14,
            level_y: HEAD - 6,
            names_x: pixels(NAMES - 6.0),
            start_x: pixels(NAMES),
            numbers_x: pixels(NAMES + SCALE + 8.0),
        };
        template.render()
    }

    /// Share of the scale below a value.
    fn share(&self, value: f64) -> f64 {
        let [low, high] = self.range;
        let share = (value - low) / (high - low);
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }

    fn place(&self, value: f64) -> String {
        pixels(NAMES + SCALE * self.share(value))
    }

    /// A bar whose upper edge is at `y`.
    fn line<'a>(&self, bar: &'a Bar, y: usize) -> BarLine<'a> {
        BarLine {
            name: &bar.name,
            note: format!("{:.3}", bar.value),
            color: COLORS[bar.group % COLORS.len()],
            y,
            words_y: y + 9,
            middle_y: y + 5,
            length: pixels(SCALE * self.share(bar.value)),
            whisker: [self.place(bar.low), self.place(bar.high)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values_and_words_are_escaped() {
        let bar = Bar { name: "cat & <dog>".into(), value: 0.75, low: 0.5, high: 2.0, group: 1 };
        let chart = BarChart {
            title: "AUC".into(),
            groups: vec!["things".into(), "stuff".into()],
            bars: vec![Bar { name: "a".into(), ..Bar::default() }, bar],
            level: Some(("chance".into(), 0.5)),
            range: [0.0, 1.0],
        };
        let svg = chart.to_svg_file().unwrap();
        for needle in [
            r##"y="66" width="315.0" height="10" fill="#e69f00""##,
            r#"<line x1="360.0" x2="570.0" y1="71""#,
            r#"<text x="360.0" y="46" text-anchor="middle">chance<"#,
            "cat &#38; &#60;dog&#62;",
            ">0.750<",
            ">0.25<",
        ] {
            assert!(svg.contains(needle), "{needle}: {svg}");
        }
    }

    #[test]
    fn no_bar_is_an_empty_scale() {
        let svg = BarChart::default().to_svg_file().unwrap();
        assert!(svg.starts_with("<svg") && !svg.contains("NaN"), "{svg}");
    }
}
