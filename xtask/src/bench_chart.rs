//! docs/performance.svg: whether costs stay flat. The ratio to erl of spawning, a round trip and
//! waking, beside a thousand to a million processes that wait.

use crate::bench_file::File;
use crate::bench_rows::{Ask, ROWS, Row};
use crate::bench_sides::Side;
use crate::bench_table::ratio_name;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 40.0;
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/// A cost by the number of processes.
struct Curve {
    name: &'static str,
    points: Vec<(u64, f64)>,
}

fn crowds() -> impl Iterator<Item = (u64, &'static Row)> {
    ROWS.iter().filter_map(|row| match row.ask {
        Ask::Crowd(size) => Some((size, row)),
        _ => None,
    })
}

fn curves(file: &File) -> Vec<Curve> {
    let kinds = crowds().next().map_or(&[][..], |(_, row)| row.lines);
    let ratio = ratio_name(Side::Rust, Side::Erl);
    let curve = |name: &'static str| {
        let points = crowds().filter_map(|(size, row)| {
            Some((size, file.line(row.name, name)?.ratios.get(&ratio)?.median))
        });
        Curve { name, points: points.collect() }
    };
    kinds.iter().map(|kind| curve(kind.name)).collect()
}

/// The chart.
pub fn svg(file: &File) -> String {
    let curves = curves(file);
    let values = curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.1));
    let most = values.fold(1.0_f64, f64::max).ceil();
    let sizes: Vec<u64> = crowds().map(|(size, _)| size).collect();
    let decades = |size: u64| (size as f64).log10();
    let (first, last) = (decades(sizes[0]), decades(sizes[sizes.len() - 1]));
    let x = |size| LEFT + (decades(size) - first) / (last - first) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\">Cost of one operation beside so many waiting processes, \
         as a ratio to erl at the same number</text>\n"
    );
    let line = |x1: f64, y1: f64, x2: f64, y2: f64, colour: &str| {
        format!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
             stroke=\"{colour}\"/>\n"
        )
    };
    for step in 0..=4 {
        let value = most * f64::from(step) / 4.0;
        svg.push_str(&line(LEFT, y(value), WIDTH - RIGHT, y(value), "#dddddd"));
        let (at, below) = (LEFT - 6.0, y(value) + 4.0);
        svg.push_str(&format!(
            "<text x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"end\">{value:.2}</text>\n"
        ));
    }
    // As fast as erl.
    svg.push_str(&line(LEFT, y(1.0), WIDTH - RIGHT, y(1.0), "#000000"));
    for size in &sizes {
        let (at, below) = (x(*size), HEIGHT - BOTTOM + 18.0);
        svg.push_str(&format!(
            "<text x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{size}</text>\n"
        ));
    }
    for (index, (curve, colour)) in curves.iter().zip(COLOURS).enumerate() {
        let points: Vec<String> = curve
            .points
            .iter()
            .map(|(size, value)| format!("{:.1},{:.1}", x(*size), y(*value)))
            .collect();
        svg.push_str(&format!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>\n",
            points.join(" ")
        ));
        let (at, below) = (WIDTH - RIGHT + 12.0, TOP + 20.0 * index as f64 + 10.0);
        svg.push_str(&format!(
            "<text x=\"{at:.1}\" y=\"{below:.1}\" fill=\"{colour}\">{}</text>\n",
            curve.name
        ));
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::svg;
    use crate::bench_file::{File, Line, Summary};

    #[test]
    fn a_cost_is_a_curve_over_the_numbers_at_which_it_was_measured() {
        let line = |row: &str, median: f64| Line {
            row: row.into(),
            name: "round trip beside them".into(),
            unit: "ns".into(),
            commit: "none".into(),
            repetitions: 1,
            sides: [].into(),
            ratios: [("rust guest / erl".into(), Summary { median, min: median, max: median })]
                .into(),
            goals: Vec::new(),
        };
        let lines = vec![line("crowd_1k", 1.0), line("crowd_1m", 2.0)];
        let chart = svg(&File { lines, ..File::default() });
        // From the lower left, where half of the height is 1.0, to the upper right.
        assert!(chart.contains("points=\"50.0,180.0 530.0,40.0\""), "{chart}");
    }
}
