//! Curves and point clouds as SVG, inside a page (taking its colours) or alone. The plotting library stays behind this file.

use kuva::backend::svg::SvgBackend;
use kuva::plot::{LegendPosition, LinePlot, ScatterPlot};
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;
use kuva::render::render::render_multiple;
use kuva::render::theme::Theme;

/// Distinct on light and dark paper and for colour-blind readers (Okabe and Ito).
const COLORS: [&str; 6] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9"];
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 300.0;

/// What a chart is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paper {
    /// The page's, with the colour of its text.
    Page,
    /// Its own, white: a file that is opened alone.
    White,
}

/// How the points of a series are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Marks {
    /// Joined from left to right.
    #[default]
    Line,
    /// Each by itself, as a dot.
    Dots,
    /// Joined by a thin line with gaps: a level to compare with.
    Dashed,
}

/// A chart of one or more curves over one axis.
#[derive(Debug, Clone, Default)]
pub struct LineChart {
    /// Heading: above the chart of a page, inside that of a file.
    pub title: String,
    /// Name and unit of the horizontal axis.
    pub x_label: String,
    /// Name and unit of the vertical axis.
    pub y_label: String,
    /// The curves, drawn in this order; the legend keeps it.
    pub series: Vec<Series>,
    /// Whether the horizontal axis is logarithmic: every x is above 0 then.
    pub is_log_x: bool,
}

/// One curve or cloud of points with its name.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Points from left to right; points that are not finite are left out.
    pub points: Vec<(f64, f64)>,
    /// A joined line, or dots.
    pub marks: Marks,
    /// Lower and upper end of every point's interval, drawn as bars; empty where points have none.
    pub intervals: Vec<(f64, f64)>,
}

impl Series {
    /// A named curve.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, marks: Marks::Line, intervals: Vec::new() }
    }

    /// A named curve of points with intervals: x, y, lower and upper end.
    pub fn within(name: impl Into<String>, points: &[(f64, [f64; 3])]) -> Self {
        let intervals = points.iter().map(|(_, [_, low, high])| (*low, *high)).collect();
        Self { intervals, ..Self::new(name, points.iter().map(|(x, [y, ..])| (*x, *y)).collect()) }
    }

    /// A level from one x to another.
    pub fn level(name: impl Into<String>, y: f64, [from, to]: [f64; 2]) -> Self {
        Self { marks: Marks::Dashed, ..Self::new(name, vec![(from, y), (to, y)]) }
    }

    /// A named cloud of points.
    pub fn dots(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, marks: Marks::Dots, intervals: Vec::new() }
    }

    /// Length of every finite point's bar below and above it.
    fn arms(&self) -> Vec<(f64, f64)> {
        let points = self.points.iter().zip(&self.intervals);
        let finite = points.filter(|((x, y), _)| x.is_finite() && y.is_finite());
        finite.map(|((_, y), (low, high))| ((y - low).max(0.0), (high - y).max(0.0))).collect()
    }

    fn plot(&self, color: &str) -> Option<Plot> {
        let points: Vec<(f64, f64)> =
            self.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        if points.is_empty() {
            return None;
        }
        Some(match self.marks {
            Marks::Line => Plot::Line(
                LinePlot::new()
                    .with_color(color)
                    .with_stroke_width(2.0)
                    .with_data(points)
                    .with_y_err_asymmetric(self.arms())
                    .with_legend(self.name.as_str()),
            ),
            Marks::Dashed => Plot::Line(
                LinePlot::new()
                    .with_color(color)
                    .with_stroke_width(1.0)
                    .with_dashed()
                    .with_data(points)
                    .with_legend(self.name.as_str()),
            ),
            Marks::Dots => Plot::Scatter(
                ScatterPlot::new()
                    .with_color(color)
                    .with_size(1.5)
                    .with_data(points)
                    .with_legend(self.name.as_str()),
            ),
        })
    }
}

impl LineChart {
    /// The chart as an `<svg>` element without its title, which is a line of the page and may break there; a note instead when there is no
    /// point to draw.
    pub fn to_svg(&self) -> String {
        self.draw(Paper::Page).map_or_else(|| "<p>No points to draw.</p>".into(), |svg| scalable(&svg))
    }

    /// The chart as a file of its own, black on white; nothing when there is no point to draw.
    pub fn to_svg_file(&self) -> Option<String> {
        self.draw(Paper::White)
    }

    /// Lowest and highest end of all points and intervals, with a little room; nothing where there are no intervals.
    fn ends_of_intervals(&self) -> Option<[f64; 2]> {
        let intervals = || self.series.iter().flat_map(|series| &series.intervals);
        intervals().next()?;
        let points = self.series.iter().flat_map(|series| &series.points).map(|(_, y)| *y);
        let values = points.chain(intervals().flat_map(|(low, high)| [*low, *high]));
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let room = 0.03 * (high - low);
        (room > 0.0).then_some([low - room, high + room])
    }

    fn draw(&self, paper: Paper) -> Option<String> {
        let plots: Vec<Plot> = self
            .series
            .iter()
            .zip(COLORS.iter().cycle())
            .filter_map(|(series, color)| series.plot(color))
            .collect();
        if plots.is_empty() {
            return None;
        }
        let (background, ink) = match paper {
            Paper::Page => ("none", "currentColor"),
            Paper::White => ("white", "black"),
        };
        let theme = Theme {
            background: background.into(),
            axis_color: ink.into(),
            tick_color: ink.into(),
            text_color: ink.into(),
            grid_color: "#8883".into(),
            legend_bg: "none".into(),
            legend_border: "none".into(),
            ..Theme::light()
        };
        let layout = Layout::auto_from_plots(&plots)
            .with_theme(theme)
            .with_width(WIDTH)
            .with_height(HEIGHT)
            .with_x_label(self.x_label.as_str())
            .with_y_label(self.y_label.as_str())
            .with_legend_position(LegendPosition::OutsideBottomColumns)
            .with_legend_box(false);
        let layout = match paper {
            Paper::Page => layout,
            Paper::White => layout.with_title(self.title.as_str()),
        };
        let layout = if self.is_log_x { layout.with_log_x() } else { layout };
        // The library ranges an axis by points alone: bars would be cut off.
        let layout = match self.ends_of_intervals() {
            Some([low, high]) => layout.with_y_axis_min(low).with_y_axis_max(high),
            None => layout,
        };
        Some(with_own_ids(&SvgBackend::new().render_scene(&render_multiple(plots, layout))))
    }
}

/// What the plotting library's names of clipping paths begin with; the number behind counts the charts of the process.
const CLIP: &str = "kuva-clip-";

/// The drawing with names of its own for what it refers to: the same chart is the same text whatever was drawn before, and two
/// charts of one page keep theirs apart.
fn with_own_ids(svg: &str) -> String {
    let mut parts = svg.split(CLIP);
    let head = parts.next().unwrap_or_default();
    let parts: Vec<(&str, &str)> = parts
        .map(|part| part.split_at(part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len())))
        .collect();
    let text = || std::iter::once(head).chain(parts.iter().map(|(_, rest)| *rest));
    // FNV-1a of 64 bits.
    let name = text().flat_map(str::bytes).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut numbers: Vec<&str> = Vec::new();
    let mut named = head.to_string();
    for (number, rest) in &parts {
        let place = numbers.iter().position(|known| known == number).unwrap_or_else(|| {
            numbers.push(number);
            numbers.len() - 1
        });
        named.push_str(&format!("clip-{name:016x}-{place}{rest}"));
    }
    named
}

/// Fixed width and height as a view box, so that the page decides the size.
fn scalable(svg: &str) -> String {
    let attribute = |name: &str| {
        let start = svg.find(&format!(" {name}=\""))? + name.len() + 3;
        svg[start..].split('"').next()
    };
    match (attribute("width"), attribute("height")) {
        // Only the first: elements inside have sizes of their own.
        (Some(width), Some(height)) => svg.replacen(
            &format!(" width=\"{width}\" height=\"{height}\""),
            &format!(" viewBox=\"0 0 {width} {height}\""),
            1,
        ),
        _ => svg.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_scale_with_the_page() {
        let chart = LineChart {
            series: vec![Series::new("loss", vec![(0.0, 1.0), (1.0, 0.5)])],
            ..LineChart::default()
        };
        let svg = chart.to_svg();
        let head = &svg[..svg.find('>').unwrap()];
        assert!(head.contains("viewBox=\"0 0 460 ") && !head.contains(" width="), "{head}");
    }

    #[test]
    fn a_chart_is_the_same_text_whatever_was_drawn_before() {
        let chart = |last| LineChart {
            series: vec![Series::new("loss", vec![(0.0, 1.0), (1.0, last)])],
            ..LineChart::default()
        };
        let svg = chart(0.5).to_svg();
        assert!(svg.contains("<clipPath id=\"clip-") && !svg.contains("kuva-clip"), "{svg}");
        assert_eq!(svg, chart(0.5).to_svg());
        let name = |svg: &str| svg.split("id=\"clip-").nth(1).unwrap()[..16].to_string();
        assert_ne!(name(&svg), name(&chart(0.25).to_svg()));
        assert_eq!(
            svg.matches(&name(&svg)).count(),
            svg.matches("clip-").count() - svg.matches("clip-path").count()
        );
    }

    #[test]
    fn a_file_of_its_own_has_size_paper_ink_and_every_dot() {
        let cloud = Series::dots("trial 7", vec![(0.1, 0.2), (0.3, 0.4), (0.5, f64::INFINITY), (0.2, 0.1)]);
        let chart = LineChart { series: vec![cloud], ..LineChart::default() };
        let svg = chart.to_svg_file().unwrap();
        assert!(svg.contains(" width=\"460") && svg.contains("xmlns=") && !svg.contains("currentColor"));
        // One circle a point; the legend has one of its own.
        assert_eq!(svg.matches("<circle").count(), 3 + 1);
    }

    #[test]
    fn intervals_are_bars_and_levels_are_dashed() {
        let plain = LineChart {
            series: vec![Series::new("score", vec![(1.0, 0.5), (10.0, 0.9)])],
            is_log_x: true,
            ..LineChart::default()
        };
        let curve = Series::within("score", &[(1.0, [0.5, 0.4, 0.6]), (10.0, [0.9, 0.8, 0.95])]);
        let with_bars = LineChart { series: vec![curve], ..plain.clone() };
        let lines = |chart: &LineChart| chart.to_svg().matches("<line").count();
        assert!(lines(&with_bars) >= lines(&plain) + 2, "a bar a point");
        let level = LineChart { series: vec![Series::level("chance", 0.5, [1.0, 10.0])], ..plain.clone() };
        assert!(level.to_svg().contains("stroke-dasharray") && !plain.to_svg().contains("stroke-dasharray"));
    }

    #[test]
    fn a_chart_without_finite_points_says_so() {
        let chart =
            LineChart { series: vec![Series::new("nan", vec![(0.0, f64::NAN)])], ..LineChart::default() };
        assert!(chart.to_svg().contains("No points"));
        assert_eq!(chart.to_svg_file(), None);
    }
}
