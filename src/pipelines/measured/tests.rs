use super::*;
use crate::data::split::SplitRecord;
use crate::metrics::bootstrap::Interval;
use crate::pipelines::inference::Inference;
use crate::pipelines::inference::TransductiveReason;

fn interval(mean: f64, low: f64, high: f64) -> Interval {
    Interval { mean, low, high }
}

fn table() -> MeasuredTable {
    let measured = |decoder: &str, value: Interval, references: Vec<Reference>, over_ridge| Measured {
        quantity: "2-way identification".into(),
        protocol: "among 120 images, not centred".into(),
        decoder: decoder.into(),
        presentations: Presentations::Single,
        unit: Unit::Share,
        value,
        chance: Some(0.5),
        references,
        over_ridge,
    };
    let exchanged = Reference::within(ReferenceKind::ExchangedBetas, interval(0.49, 0.45, 0.532));
    let cluster = Reference::exact(ReferenceKind::ClusterOnly, 0.9567);
    let over = Some(interval(0.021, -0.002, 0.05));
    let numbers = vec![
        measured("image mapper", interval(0.98, 0.961, 0.99), vec![cluster, exchanged], over),
        Measured {
            unit: Unit::CountOf(300),
            quantity: "forward".into(),
            protocol: "by image".into(),
            value: interval(97.0, 77.0, 118.0),
            chance: Some(1.6),
            ..measured("image mapper", interval(0.0, 0.0, 0.0), vec![], None)
        },
        measured("ridge, image", interval(0.959, 0.94, 0.97), vec![], None),
    ];
    let context = Context {
        subject: Some("1".into()),
        split: Some(SplitRecord {
            rule: "by image, a \"third\"".into(),
            num_test_images: 120,
            sha256: "0123456789abcdef".into(),
        }),
        folds: None,
        num_images: 120,
        num_trials: 300,
        seed: Some(7),
        inference: Some(Inference::of([TransductiveReason::ScaledBySession])),
    };
    MeasuredTable::new(context, numbers)
}

#[test]
fn numbers_of_one_protocol_stand_together_beside_floor_and_ridge() {
    let [pairs, forward] = &table().blocks()[..] else { panic!("{:?}", table().blocks()) };
    assert_eq!(pairs.title, "2-way identification, among 120 images, not centred, %");
    assert_eq!(pairs.head, ["decoder", "value", "chance", "exchanged betas", "cluster alone", "minus ridge"]);
    assert_eq!(
        pairs.rows,
        [
            vec![
                "image mapper",
                "98.0 [96.1, 99.0]",
                "50.0",
                "49.0 [45.0, 53.2]",
                "95.7",
                "+2.1 [-0.2, +5.0]"
            ],
            vec!["ridge, image", "95.9 [94.0, 97.0]", "50.0", "", "", ""],
        ]
    );
    assert_eq!((forward.title.as_str(), forward.head.len()), ("forward, by image, of 300", 3));
    assert_eq!(forward.rows, [vec!["image mapper", "97.0 [77.0, 118.0]", "1.6"]]);
}

#[test]
fn lines_begin_with_the_context_and_end_with_what_the_columns_mean() {
    let lines = table().lines();
    assert_eq!(
        lines[0],
        "Subject 1; split `by image, a \"third\"` (0123456789ab); 120 held-out images, 300 trials; seed 7; \
         brackets: 95 % intervals over images."
    );
    assert!(lines[1].contains("ransductive"), "{}", lines[1]);
    let head = lines.iter().position(|line| line.trim_start().starts_with("decoder")).unwrap();
    // Columns end at the same letter.
    let end = |line: &str, cell: &str| line.find(cell).unwrap() + cell.len();
    assert_eq!(end(&lines[head], "chance"), end(&lines[head + 1], " 50.0"));
    assert_eq!(end(&lines[head + 1], "98.0 [96.1, 99.0]"), end(&lines[head + 2], "95.9 [94.0, 97.0]"));
    let last = lines.last().unwrap();
    assert!(last.starts_with("Minus ridge") && lines.iter().any(|line| line.starts_with("Exchanged betas")));
    assert!(!lines.iter().any(|line| line.starts_with("Class alone")));
}

#[test]
fn the_spreadsheet_has_a_row_per_number_and_reference_and_can_be_read() {
    let text = String::from_utf8(table().csv().unwrap()).unwrap();
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 1 + 3 + 2 + 1);
    let columns = rows[0].split(',').count();
    assert_eq!(columns, 18);
    let own = rows[1];
    assert!(own.starts_with(
        "1,\"by image, a \"\"third\"\"\",0123456789abcdef,,120,300,7,transductive,2-way identification,"
    ));
    assert!(own.ends_with(",1,share,,0.98,0.961,0.99,0.5"), "{own}");
    assert!(rows[2].ends_with(",1,share,cluster-only,0.9567,,,"), "{}", rows[2]);
    assert!(rows[4].contains(",minus-ridge,0.021,-0.002,0.05,"), "{}", rows[4]);
    assert!(rows[5].contains(",count of 300,,97,77,118,1.6"), "{}", rows[5]);
}

#[test]
fn what_is_written_is_read_again() {
    for kind in
        [ReferenceKind::ExchangedBetas, ReferenceKind::NearestTrainingImage, ReferenceKind::NoiseCeiling]
    {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
    }
    let text = serde_json::to_string(&table()).unwrap();
    assert_eq!(serde_json::from_str::<MeasuredTable>(&text).unwrap(), table());
}
