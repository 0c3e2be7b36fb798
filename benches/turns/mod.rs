//! Turns of a benchmark that shares its machine: the other side gets its turn between two of ours.
//!
//! Every line on stdin asks for one turn and is answered by one line of JSON. With nothing on stdin, five turns.

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use safetensors::tensor::{Dtype, TensorView};

/// Times of the parts of a turn, in seconds, by name.
pub type Parts = Vec<(&'static str, f64)>;

/// Runs turns as asked.
pub fn serve(mut turn: impl FnMut() -> Parts) {
    let mut asked = std::io::stdin().lock().lines();
    let mut turns = 0;
    loop {
        match asked.next() {
            Some(Ok(_)) => {}
            _ if turns < 5 && std::env::var_os("TURNS_ON_REQUEST").is_none() => {}
            _ => return,
        }
        let (start, cpu) = (Instant::now(), cpu_seconds());
        let parts = turn();
        let mut line = serde_json::json!({
            "wall": start.elapsed().as_secs_f64(),
            "cpu": cpu_seconds() - cpu,
        });
        for (name, seconds) in parts {
            line[name] = seconds.into();
        }
        println!("{line}");
        std::io::stdout().flush().unwrap();
        turns += 1;
    }
}

/// User and system time of this process so far.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    // Linux reports hundredths of a second.
    ticks.sum::<f64>() / 100.0
}

/// Writes named arrays as safetensors.
pub fn write_arrays(path: &Path, arrays: &[(&str, Vec<usize>, &[f32])]) {
    let bytes: Vec<Vec<u8>> = arrays
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let views = arrays
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// The folder given on the command line, where the other side finds the same weights and inputs.
pub fn folder() -> Option<std::path::PathBuf> {
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    given.map(std::path::PathBuf::from)
}
