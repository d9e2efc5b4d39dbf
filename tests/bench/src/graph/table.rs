//! The table of the graph bench, as text.
//!
//! It formats; it measures nothing.

use std::fmt::Write as _;
use std::time::Duration;

use super::generate::Shape;
use super::measure::Measured;

const HEAD: [&str; 11] = [
    "shape",
    "records",
    "config MB",
    "decode ms",
    "load ms",
    "marshal ms",
    "encode ms",
    "total ms",
    "ns/record",
    "peak MiB",
    "digest",
];

/// One line of the table.
pub(super) struct Row {
    pub(super) shape: Shape,
    pub(super) records: u32,
    pub(super) measured: Measured,
}

/// The table, and below it the growth of the time per record from the smallest to the largest size of each shape.
pub(super) fn render(rows: &[Row]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let mut widths = HEAD.map(str::len);
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.len());
        }
    }
    let mut out = String::new();
    for line in &lines {
        let mut text = String::new();
        for (cell, width) in line.iter().zip(widths) {
            let _ = write!(text, "{cell:>width$}  ");
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    let ratios: Vec<String> = shapes(rows).into_iter().filter_map(|shape| ratio(rows, shape)).collect();
    if !ratios.is_empty() {
        out.push('\n');
        out.extend(ratios);
    }
    out
}

fn cells(row: &Row) -> [String; 11] {
    let measured = &row.measured;
    let millis = |duration: Duration| format!("{:.2}", duration.as_secs_f64() * 1e3);
    let short = measured.digest.get(..19).unwrap_or(&measured.digest);
    [
        row.shape.to_string(),
        row.records.to_string(),
        format!("{:.2}", measured.config_bytes as f64 / 1e6),
        millis(measured.decode),
        millis(measured.load),
        millis(measured.marshal),
        millis(measured.encode),
        millis(measured.total()),
        format!("{:.0}", per_record(row)),
        measured
            .peak_bytes
            .map_or_else(|| "-".to_owned(), |bytes| format!("{:.1}", bytes as f64 / 1_048_576.0)),
        short.to_owned(),
    ]
}

/// Nanoseconds of all stages per record.
fn per_record(row: &Row) -> f64 {
    row.measured.total().as_secs_f64() * 1e9 / f64::from(row.records.max(1))
}

fn shapes(rows: &[Row]) -> Vec<Shape> {
    let mut shapes: Vec<Shape> = rows.iter().map(|row| row.shape).collect();
    shapes.dedup();
    shapes
}

/// The growth of a shape as one line; `None` if it was measured in one size only.
fn ratio(rows: &[Row], shape: Shape) -> Option<String> {
    let of_shape = || rows.iter().filter(|row| row.shape == shape);
    let smallest = of_shape().min_by_key(|row| row.records)?;
    let largest = of_shape().max_by_key(|row| row.records)?;
    (smallest.records < largest.records).then(|| {
        let growth = per_record(largest) / per_record(smallest);
        format!(
            "{shape}: ns/record at {} is {growth:.2} times that at {}\n",
            largest.records, smallest.records
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(shape: Shape, records: u32, micros: u64) -> Row {
        let stage = Duration::from_micros(micros);
        let digest = format!("sha256:{}", "ab".repeat(32));
        let measured = Measured {
            config_bytes: 1_234_567,
            decode: stage,
            load: stage,
            marshal: stage,
            encode: stage,
            peak_bytes: Some(5 << 20),
            digest,
        };
        Row { shape, records, measured }
    }

    #[test]
    fn a_shape_in_two_sizes_gets_a_ratio() {
        let text =
            render(&[row(Shape::Star, 1000, 250), row(Shape::Star, 2000, 1000), row(Shape::Dag, 1, 1)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 6, "{text}");
        let words: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(
            words,
            [
                "star",
                "1000",
                "1.23",
                "0.25",
                "0.25",
                "0.25",
                "0.25",
                "1.00",
                "1000",
                "5.0",
                "sha256:abababababab"
            ]
        );
        assert_eq!(lines[5], "star: ns/record at 2000 is 2.00 times that at 1000");
    }
}
