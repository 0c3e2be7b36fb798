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
}

/// A chart of one or more curves over one axis.
#[derive(Debug, Clone, Default)]
pub struct LineChart {
    /// Heading inside the chart.
    pub title: String,
    /// Name and unit of the horizontal axis.
    pub x_label: String,
    /// Name and unit of the vertical axis.
    pub y_label: String,
    /// The curves, drawn in this order; the legend keeps it.
    pub series: Vec<Series>,
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
}

impl Series {
    /// A named curve.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, marks: Marks::Line }
    }

    /// A named cloud of points.
    pub fn dots(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, marks: Marks::Dots }
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
    /// The chart as an `<svg>` element; a note instead when there is no point to draw.
    pub fn to_svg(&self) -> String {
        self.draw(Paper::Page).map_or_else(|| "<p>No points to draw.</p>".into(), |svg| scalable(&svg))
    }

    /// The chart as a file of its own, black on white; nothing when there is no point to draw.
    pub fn to_svg_file(&self) -> Option<String> {
        self.draw(Paper::White)
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
            .with_title(self.title.as_str())
            .with_x_label(self.x_label.as_str())
            .with_y_label(self.y_label.as_str())
            .with_legend_position(LegendPosition::OutsideBottomColumns)
            .with_legend_box(false);
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
    fn a_chart_without_finite_points_says_so() {
        let chart =
            LineChart { series: vec![Series::new("nan", vec![(0.0, f64::NAN)])], ..LineChart::default() };
        assert!(chart.to_svg().contains("No points"));
        assert_eq!(chart.to_svg_file(), None);
    }
}
