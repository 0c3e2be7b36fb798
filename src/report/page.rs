//! The page: what is seen first, then sections of text, tables, charts and image grids.

use askama::Template;

use super::dot_chart::DotChart;
use super::image_grid::ImageGrid;
use super::line_chart::LineChart;

/// A whole report.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Heading and window title.
    pub title: String,
    /// One sentence below the heading.
    pub lead: String,
    /// What is seen first.
    pub opening: Opening,
    /// The sections, in reading order.
    pub sections: Vec<Section>,
}

/// What is seen first: a verdict with pictures below it, and a chart beside both.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// Sentences of the verdict.
    pub verdict: Vec<String>,
    /// The chart beside verdict and pictures; on a narrow page below them.
    pub chart: Option<DotChart>,
    /// What stands below the verdict: pictures, sentences.
    pub blocks: Vec<Block>,
}

/// A part of the report with its own heading.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// Heading of the section.
    pub title: String,
    /// Paragraphs, tables, charts and pictures below the heading, in order.
    pub blocks: Vec<Block>,
}

/// One thing in a section.
#[derive(Debug, Clone)]
pub enum Block {
    /// Running text.
    Text(String),
    /// Commands or configuration, verbatim.
    Code(String),
    /// Numbers in rows and columns.
    Table(Table),
    /// Curves or clouds of points over one axis.
    Chart(LineChart),
    /// Pictures in labelled rows.
    Images(ImageGrid),
    /// Blocks that unfold below a line of text.
    Folded(String, Vec<Block>),
    /// Blocks that stay together; on a wide page two groups stand side by side.
    Group(Vec<Block>),
}

/// Rows under column heads.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// What stands in each column.
    pub head: Vec<String>,
    /// Cells, one list per row, as many as heads.
    pub rows: Vec<Vec<String>>,
    /// Sentence below the table that says what its numbers are.
    pub caption: String,
}

impl Section {
    /// A section without blocks.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), blocks: Vec::new() }
    }

    /// The section with one block more.
    pub fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// The section with one block more, where there is one.
    pub fn with_some(self, block: Option<Block>) -> Self {
        match block {
            Some(block) => self.with(block),
            None => self,
        }
    }

    /// The section with a paragraph more.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.with(Block::Text(text.into()))
    }
}

impl Page {
    /// The page as HTML.
    ///
    /// # Errors
    /// Only if formatting fails, which text and numbers do not.
    pub fn to_html(&self) -> Result<String, askama::Error> {
        let Opening { chart, blocks, .. } = &self.opening;
        let of_section = |section: &Section| Ok((section.title.clone(), html_of(&section.blocks)?));
        let template = PageTemplate {
            page: self,
            style: include_str!("style.css"),
            chart: chart.as_ref().map(DotChart::to_html).transpose()?,
            chart_caption: chart.as_ref().map_or("", |chart| &chart.caption),
            opening: html_of(blocks)?,
            sections: self.sections.iter().map(of_section).collect::<Result<_, askama::Error>>()?,
        };
        template.render()
    }
}

/// Blocks as HTML, one after the other.
fn html_of(blocks: &[Block]) -> Result<String, askama::Error> {
    let html = |block: &Block| {
        let inner = match block {
            Block::Folded(_, blocks) | Block::Group(blocks) => html_of(blocks)?,
            _ => String::new(),
        };
        BlockTemplate { block, inner: &inner }.render()
    };
    blocks.iter().map(html).collect()
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ page.title }}</title>
<style>{{ style|safe }}</style>
</head>
<body>
<header>
<h1>{{ page.title }}</h1>
<p class="lead">{{ page.lead }}</p>
</header>
<main>
<section class="opening">
<div class="first">
<div class="left">
<div class="verdict">
{%- for sentence in page.opening.verdict %}
<p>{{ sentence }}</p>
{%- endfor %}
</div>
{{ opening|safe }}
</div>
{%- if let Some(chart) = chart %}
<figure class="overview">
{{ chart|safe }}
{%- if !chart_caption.is_empty() %}
<figcaption>{{ chart_caption }}</figcaption>
{%- endif %}
</figure>
{%- endif %}
</div>
</section>
{%- for (title, blocks) in sections %}
<section>
<h2>{{ title }}</h2>
{{ blocks|safe }}
</section>
{%- endfor %}
</main>
</body>
</html>
"##
)]
struct PageTemplate<'a> {
    page: &'a Page,
    style: &'a str,
    chart: Option<String>,
    chart_caption: &'a str,
    /// What stands below the verdict, as HTML.
    opening: String,
    /// Heading and HTML of each section.
    sections: Vec<(String, String)>,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"{%- match block %}
{%- when Block::Text with (text) %}
<p>{{ text }}</p>
{%- when Block::Code with (text) %}
<pre><code>{{ text }}</code></pre>
{%- when Block::Table with (table) %}
<figure class="table">
<table>
<thead><tr>{% for cell in table.head %}<th>{{ cell }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for row in table.rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody>
</table>
{%- if !table.caption.is_empty() %}
<figcaption>{{ table.caption }}</figcaption>
{%- endif %}
</figure>
{%- when Block::Chart with (chart) %}
<figure class="chart">
<div class="title">{{ chart.title }}</div>
{{ chart.to_svg()|safe }}
</figure>
{%- when Block::Images with (grid) %}
<figure class="images">
<div class="scroll">
<table class="grid">
<tbody>
{%- for (label, cells) in grid.rows %}
<tr><th>{{ label }}</th>
{%- for cell in cells %}
<td>{% if !cell.data_uri.is_empty() %}<img alt="{{ label }}, {{ cell.note }}" src="{{ cell.data_uri }}">{% endif %}<span>{{ cell.note }}</span></td>
{%- endfor %}
</tr>
{%- endfor %}
</tbody>
</table>
</div>
{%- if !grid.caption.is_empty() %}
<figcaption>{{ grid.caption }}</figcaption>
{%- endif %}
</figure>
{%- when Block::Folded with (title, _blocks) %}
<details>
<summary>{{ title }}</summary>
{{ inner|safe }}
</details>
{%- when Block::Group with (_blocks) %}
<div class="group">
{{ inner|safe }}
</div>
{%- endmatch %}
"##
)]
struct BlockTemplate<'a> {
    block: &'a Block,
    /// The blocks inside, as HTML.
    inner: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Cell, Series};

    #[test]
    fn everything_given_is_on_the_page_and_text_is_escaped() {
        let page = Page {
            title: "subj01 <phantom>".into(),
            lead: "lead".into(),
            opening: Opening {
                verdict: vec!["The <verdict>.".into()],
                chart: Some(DotChart { caption: "chance & more".into(), ..DotChart::default() }),
                blocks: vec![Block::Text("below".into())],
            },
            sections: vec![
                Section::new("Numbers")
                    .text("a & b")
                    .with(Block::Folded(
                        "A <table>".into(),
                        vec![Block::Group(vec![Block::Table(Table {
                            head: vec!["metric".into()],
                            rows: vec![vec!["<script>".into()]],
                            caption: "of 300".into(),
                        })])],
                    ))
                    .with(Block::Chart(LineChart {
                        title: "Loss".into(),
                        x_label: "epoch".into(),
                        y_label: "loss".into(),
                        series: vec![Series::new("training", vec![(0.0, 1.0), (1.0, 0.5)])],
                        ..LineChart::default()
                    }))
                    .with(Block::Images(ImageGrid {
                        rows: vec![(
                            "truth".into(),
                            vec![Cell::from_rgb(1, 1, &[255, 0, 0], "trial 3").unwrap()],
                        )],
                        caption: "grid".into(),
                    })),
            ],
        };
        let html = page.to_html().unwrap();
        assert!(html.contains("subj01 &#60;phantom&#62;") && html.contains("a &#38; b"), "{html}");
        for needle in [
            "&#60;script&#62;",
            "of 300",
            "<svg",
            "data:image/png;base64,",
            "trial 3",
            "prefers-color-scheme",
            "<p>The &#60;verdict&#62;.</p>",
            "<figcaption>chance &#38; more</figcaption>",
            "<p>below</p>",
            "<div class=\"title\">Loss</div>",
            "<summary>A &#60;table&#62;</summary>",
        ] {
            assert!(html.contains(needle), "{needle}");
        }
        for needle in ["<script", "http://", "https://"] {
            let outside = html.replace("http://www.w3.org/2000/svg", "");
            assert!(!outside.contains(needle), "the page must be self-contained: {needle}");
        }
    }
}
