//! What a run writes beside its summary: `categories.csv`, `masking.csv`, `charts/*.svg`.

use super::classifiers::ClassifierKind;
use super::config::ClassifierInput;
use super::labels::{Category, CategoryKind};
use super::summary::{CHANCE, ClassifySummary, MaskedCurve};
use crate::data::formats::csv::{Delimiter, write_table};
use crate::metrics::bootstrap::Interval;
use crate::report::bar_chart::{Bar, BarChart};
use crate::report::{LineChart, Series};
use crate::run::run_dir::RunDir;

/// Areas of every category by one classifier, in the order of the categories.
pub(super) struct CategoryAreas {
    pub input: ClassifierInput,
    pub classifier: ClassifierKind,
    /// None of a category that is not scored.
    pub areas: Vec<Option<Interval>>,
    /// Mean over the refits to exchanged labels.
    pub exchanged: Vec<Option<f64>>,
}

/// Writes tables and charts.
///
/// # Errors
/// Files that cannot be written.
pub(super) fn write(
    dir: &RunDir,
    summary: &ClassifySummary,
    areas: &[CategoryAreas],
) -> crate::error::Result<()> {
    write_categories(dir, &summary.categories, areas)?;
    for of_input in areas.iter().filter(|areas| areas.classifier == ClassifierKind::Network) {
        let chart = bar_chart(&summary.categories, of_input);
        let name = format!("charts/categories-{}.svg", of_input.input.key());
        dir.write_atomic(&name, chart.to_svg_file()?.as_bytes())?;
    }
    if !summary.masking.is_empty() {
        write_masking(dir, &summary.masking)?;
        if let Some(svg) = summary.masking_chart().and_then(|chart| chart.to_svg_file()) {
            dir.write_atomic("charts/masking.svg", svg.as_bytes())?;
        }
    }
    Ok(())
}

fn kind_name(kind: CategoryKind) -> &'static str {
    match kind {
        CategoryKind::Thing => "thing",
        CategoryKind::Stuff => "stuff",
        CategoryKind::Class => "class",
    }
}

fn write_categories(
    dir: &RunDir,
    categories: &[Category],
    areas: &[CategoryAreas],
) -> crate::error::Result<()> {
    const HEAD: [&str; 10] = [
        "category",
        "kind",
        "train_images",
        "test_images",
        "input",
        "classifier",
        "auc",
        "auc_low",
        "auc_high",
        "auc_exchanged_labels",
    ];
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
    let rows = areas.iter().flat_map(|of_input| {
        categories.iter().enumerate().map(move |(column, category)| {
            let area = of_input.areas.get(column).copied().flatten();
            vec![
                category.name.clone(),
                kind_name(category.kind).into(),
                category.train_images.to_string(),
                category.test_images.to_string(),
                of_input.input.key().into(),
                of_input.classifier.name().into(),
                number(area.map(|area| area.mean)),
                number(area.map(|area| area.low)),
                number(area.map(|area| area.high)),
                number(of_input.exchanged.get(column).copied().flatten()),
            ]
        })
    });
    Ok(write_table(&dir.join("categories.csv"), Delimiter::Comma, &HEAD, rows)?)
}

fn write_masking(dir: &RunDir, curves: &[MaskedCurve]) -> crate::error::Result<()> {
    const HEAD: [&str; 11] = [
        "input",
        "classifier",
        "trained_on",
        "ratio",
        "masked_voxels",
        "masks",
        "auc",
        "auc_low",
        "auc_high",
        "lowest_mask",
        "highest_mask",
    ];
    let rows = curves.iter().flat_map(|curve| {
        curve.points.iter().map(move |point| {
            let trained_on = if curve.is_retrained { "masked trials" } else { "whole trials" };
            let Interval { mean, low, high } = point.auc;
            let mut row: Vec<String> =
                [curve.input.key(), curve.classifier.name(), trained_on].map(String::from).to_vec();
            row.extend([point.ratio.to_string(), point.num_masked.to_string(), point.masks.to_string()]);
            row.extend([mean, low, high, point.range[0], point.range[1]].map(|value| format!("{value:.6}")));
            row
        })
    });
    Ok(write_table(&dir.join("masking.csv"), Delimiter::Comma, &HEAD, rows)?)
}

/// Scored categories by falling area (figure 6 of the paper).
fn bar_chart(categories: &[Category], of_input: &CategoryAreas) -> BarChart {
    let mut bars: Vec<Bar> = categories
        .iter()
        .zip(&of_input.areas)
        .filter_map(|(category, area)| {
            let Interval { mean, low, high } = (*area)?;
            let group = match category.kind {
                CategoryKind::Thing | CategoryKind::Class => 0,
                CategoryKind::Stuff => 1,
            };
            Some(Bar { name: category.name.clone(), value: mean, low, high, group })
        })
        .collect();
    // Of equal areas the first category comes first.
    bars.sort_by(|a, b| b.value.total_cmp(&a.value));
    let is_coco = categories.iter().any(|category| category.kind != CategoryKind::Class);
    let groups = if is_coco { vec!["things".into(), "stuff".into()] } else { vec!["classes".into()] };
    BarChart {
        title: format!("AUC-ROC from {}", of_input.input.name()),
        groups,
        bars,
        level: Some(("chance".into(), CHANCE)),
        range: [0.0, 1.0],
    }
}

impl ClassifySummary {
    /// Mean area of the networks against the share of masked voxels (figure 13 of the paper); none where no voxels were masked.
    pub fn masking_chart(&self) -> Option<LineChart> {
        (!self.masking.is_empty()).then(|| masking_chart(&self.masking))
    }
}

fn masking_chart(curves: &[MaskedCurve]) -> LineChart {
    let name = |curve: &MaskedCurve| {
        let retrained = if curve.is_retrained { ", trained on masked trials" } else { "" };
        format!("{}, {}{retrained}", curve.input.name(), curve.classifier.name())
    };
    let of_curve = |curve: &MaskedCurve| {
        let points: Vec<(f64, [f64; 3])> = curve
            .points
            .iter()
            .map(|point| (point.ratio, [point.auc.mean, point.auc.low, point.auc.high]))
            .collect();
        Series::within(name(curve), &points)
    };
    // The linear ones stand in the table: eight curves are too many for one chart.
    let networks = curves.iter().filter(|curve| curve.classifier == ClassifierKind::Network);
    let mut series: Vec<Series> = networks.map(of_curve).collect();
    series.push(Series::level("chance", CHANCE, [0.0, 1.0]));
    LineChart {
        title: "Categories from masked betas".into(),
        x_label: "share of masked voxels".into(),
        y_label: "mean AUC-ROC".into(),
        series,
        ..LineChart::default()
    }
}
