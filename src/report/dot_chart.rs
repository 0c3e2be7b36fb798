//! Shares as dots with whiskers, one measure a row, beside chance, floor and ceiling: an SVG that takes the width and the colours of
//! its page.
//!
//! Places are percentages and letters have a size in pixels, so that the words stay readable on a narrow page.

use askama::Template;

/// Height of a row with its words, in pixels.
const ROW: usize = 50;
/// Height of a group's heading.
const HEADING: usize = 26;
/// Height of the line below it.
const PROTOCOL: usize = 18;
/// Height of the scale below the last row.
const SCALE: usize = 26;
/// Share of the width left free at either side, so that a dot at an end is whole, in percent.
const MARGIN: f64 = 1.5;

/// Measures on one scale from 0 to 1.
#[derive(Debug, Clone, Default)]
pub struct DotChart {
    /// The rows under their headings.
    pub groups: Vec<DotGroup>,
    /// Sentence below the chart.
    pub caption: String,
}

/// Rows that belong together.
#[derive(Debug, Clone, Default)]
pub struct DotGroup {
    /// Heading.
    pub name: String,
    /// How the measures were taken, in some 50 letters: lines of a chart do not break.
    pub protocol: String,
    /// The measures.
    pub rows: Vec<DotRow>,
}

/// A measure.
#[derive(Debug, Clone, Default)]
pub struct DotRow {
    /// What was measured.
    pub name: String,
    /// The number in words, at the right.
    pub note: String,
    /// The measured share with its interval.
    pub value: Dot,
    /// The same where there is nothing to be found.
    pub floor: Option<Dot>,
    /// What a random choice gives.
    pub chance: Option<f64>,
    /// The most that can be expected.
    pub ceiling: Option<f64>,
}

/// A share with its interval; all from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Dot {
    /// The share.
    pub at: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
}

/// A place on the scale in percent of the chart's width; what lies outside 0..1 is drawn at the end.
fn place(share: f64) -> String {
    format!("{:.2}%", MARGIN + (100.0 - 2.0 * MARGIN) * share.clamp(0.0, 1.0))
}

/// A dot and its interval in places.
struct DotPlaces {
    at: String,
    low: String,
    high: String,
}

impl DotPlaces {
    fn of(dot: Dot) -> Self {
        Self { at: place(dot.at), low: place(dot.low), high: place(dot.high) }
    }
}

/// A heading or a measure; heights count from the chart's upper edge.
struct Line<'a> {
    name: &'a str,
    /// Base line of the words.
    words_y: usize,
    /// Of the words of a heading.
    class: &'static str,
    measure: Option<MeasureLine<'a>>,
}

struct MeasureLine<'a> {
    note: &'a str,
    value_y: usize,
    floor_y: usize,
    /// Ends of the tick of chance.
    chance_y: [usize; 2],
    value: DotPlaces,
    floor: Option<DotPlaces>,
    chance: Option<String>,
    ceiling: Option<String>,
}

/// A number below the scale.
struct Tick {
    at: String,
    percent: usize,
    /// How the number stands to its place.
    anchor: &'static str,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<div class="legend">
<span><svg width="28" height="14"><line class="whisker" x1="2" x2="26" y1="7" y2="7"/><circle class="value" cx="14" cy="7" r="5"/></svg> decoded, 95 % interval</span>
{%- if has_floor %}
<span><svg width="28" height="14"><line class="floor-whisker" x1="2" x2="26" y1="7" y2="7"/><circle class="floor" cx="14" cy="7" r="4"/></svg> floor: exchanged betas</span>
{%- endif %}
<span><svg width="10" height="14"><line class="chance" x1="5" x2="5" y1="0" y2="14"/></svg> chance</span>
{%- if has_ceiling %}
<span><svg width="14" height="14"><path class="ceiling" d="M7 1 L13 7 L7 13 L1 7 Z"/></svg> ceiling</span>
{%- endif %}
</div>
<svg class="dots" width="100%" height="{{ height }}" role="img" aria-label="{{ label }}">
{%- for tick in ticks %}
<line class="rule" x1="{{ tick.at }}" x2="{{ tick.at }}" y1="0" y2="{{ scale_y }}"/>
<text class="tick" x="{{ tick.at }}" y="{{ tick_y }}" text-anchor="{{ tick.anchor }}">{{ tick.percent }} %</text>
{%- endfor %}
{%- for line in lines %}
{%- if let Some(measure) = line.measure %}
<text x="0" y="{{ line.words_y }}">{{ line.name }}</text>
<text class="number" x="100%" y="{{ line.words_y }}" text-anchor="end">{{ measure.note }}</text>
<line class="track" x1="{{ track.0 }}" x2="{{ track.1 }}" y1="{{ measure.value_y }}" y2="{{ measure.value_y }}"/>
{%- if let Some(chance) = measure.chance %}
<line class="chance" x1="{{ chance }}" x2="{{ chance }}" y1="{{ measure.chance_y[0] }}" y2="{{ measure.chance_y[1] }}"/>
{%- endif %}
{%- if let Some(floor) = measure.floor %}
<line class="floor-whisker" x1="{{ floor.low }}" x2="{{ floor.high }}" y1="{{ measure.floor_y }}" y2="{{ measure.floor_y }}"/>
<circle class="floor" cx="{{ floor.at }}" cy="{{ measure.floor_y }}" r="4"/>
{%- endif %}
{%- if let Some(ceiling) = measure.ceiling %}
<svg x="{{ ceiling }}" y="{{ measure.value_y }}" overflow="visible"><path class="ceiling" d="M0 -6 L6 0 L0 6 L-6 0 Z"/></svg>
{%- endif %}
<line class="whisker" x1="{{ measure.value.low }}" x2="{{ measure.value.high }}" y1="{{ measure.value_y }}" y2="{{ measure.value_y }}"/>
<circle class="value" cx="{{ measure.value.at }}" cy="{{ measure.value_y }}" r="5"/>
{%- else %}
<text class="{{ line.class }}" x="0" y="{{ line.words_y }}">{{ line.name }}</text>
{%- endif %}
{%- endfor %}
</svg>"##
)]
struct ChartTemplate<'a> {
    lines: Vec<Line<'a>>,
    ticks: Vec<Tick>,
    /// Ends of the scale.
    track: (String, String),
    /// All numbers in words, for readers that do not see.
    label: String,
    height: usize,
    /// Height of the scale's lower end, and of the numbers below it.
    scale_y: usize,
    tick_y: usize,
    has_floor: bool,
    has_ceiling: bool,
}

impl<'a> MeasureLine<'a> {
    /// The marks of a row whose upper edge is at `y`.
    fn of(row: &'a DotRow, y: usize) -> Self {
        Self {
            note: &row.note,
            value_y: y + 25,
            floor_y: y + 36,
            chance_y: [y + 17, y + 44],
            value: DotPlaces::of(row.value),
            floor: row.floor.map(DotPlaces::of),
            chance: row.chance.map(place),
            ceiling: row.ceiling.map(place),
        }
    }
}

fn ticks() -> Vec<Tick> {
    let anchor = |percent| match percent {
        0 => "start",
        100 => "end",
        _ => "middle",
    };
    let tick = |percent| Tick { at: place(percent as f64 / 100.0), percent, anchor: anchor(percent) };
    [0, 25, 50, 75, 100].map(tick).into()
}

impl DotChart {
    /// The chart with its legend as HTML.
    ///
    /// # Errors
    /// Only if formatting fails, which text and numbers do not.
    pub fn to_html(&self) -> Result<String, askama::Error> {
        let rows = || self.groups.iter().flat_map(|group| &group.rows);
        let (mut y, mut lines) = (0, Vec::new());
        for group in &self.groups {
            lines.push(Line { name: &group.name, words_y: y + 20, class: "heading", measure: None });
            y += HEADING;
            if !group.protocol.is_empty() {
                lines.push(Line { name: &group.protocol, words_y: y + 12, class: "protocol", measure: None });
                y += PROTOCOL;
            }
            for row in &group.rows {
                let measure = Some(MeasureLine::of(row, y));
                lines.push(Line { name: &row.name, words_y: y + 13, class: "", measure });
                y += ROW;
            }
        }
        let words = rows().map(|row| format!("{}: {}", row.name, row.note)).collect::<Vec<_>>();
        let template = ChartTemplate {
            lines,
            ticks: ticks(),
            track: (place(0.0), place(1.0)),
            label: words.join("; "),
            height: y + SCALE,
            scale_y: y,
            tick_y: y + 16,
            has_floor: rows().any(|row| row.floor.is_some()),
            has_ceiling: rows().any(|row| row.ceiling.is_some()),
        };
        template.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(row: DotRow) -> String {
        let groups =
            vec![DotGroup { name: "Retrieval".into(), protocol: "10 candidates".into(), rows: vec![row] }];
        DotChart { groups, caption: String::new() }.to_html().unwrap()
    }

    #[test]
    fn marks_stand_where_their_shares_are() {
        let html = chart(DotRow {
            name: "image <mapper>".into(),
            note: "50 %".into(),
            value: Dot { at: 0.5, low: 0.25, high: 0.75 },
            floor: Some(Dot { at: 0.0, low: 0.0, high: 0.1 }),
            chance: Some(0.01),
            ceiling: Some(1.0),
        });
        for needle in [
            r#"<circle class="value" cx="50.00%" cy="69""#,
            r#"<line class="whisker" x1="25.75%" x2="74.25%""#,
            r#"<circle class="floor" cx="1.50%""#,
            r#"<line class="chance" x1="2.47%""#,
            r#"<svg x="98.50%""#,
            "image &#60;mapper&#62;",
            r#"<text class="protocol" x="0" y="38">10 candidates<"#,
            ">75 %<",
        ] {
            assert!(html.contains(needle), "{needle}: {html}");
        }
    }

    #[test]
    fn what_was_not_measured_has_neither_mark_nor_legend() {
        let html = chart(DotRow { value: Dot { at: 2.0, low: -1.0, high: 0.5 }, ..DotRow::default() });
        assert!(!html.contains("exchanged betas") && !html.contains("ceiling"), "{html}");
        // Beyond the ends of the scale: at the ends.
        assert!(html.contains(r#"x1="1.50%" x2="50.00%""#) && html.contains(r#"cx="98.50%""#), "{html}");
    }
}
