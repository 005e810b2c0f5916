//! One figure of each kind, for the tests and to be looked at:
//! `ANSATZ_GALLERY=/some/folder cargo test plot::gallery -- --ignored` writes them.

use super::*;

/// Numbers in (-1, 1) that look random.
pub(super) fn noise(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn bell(seed: u64, count: usize) -> Vec<f64> {
    let many = noise(seed, 12 * count);
    many.chunks(12).map(|twelve| 0.5 * twelve.iter().sum::<f64>()).collect()
}

pub(super) fn field(nx: usize, ny: usize, value: impl Fn(f64, f64) -> f64) -> Values2d {
    let at = |index: usize, count: usize| (index as f64 + 0.5) / count as f64;
    let values = (0..nx).flat_map(|i| (0..ny).map(move |j| (i, j)));
    Values2d { shape: [nx, ny], values: values.map(|(i, j)| value(at(i, nx), at(j, ny))).collect() }
}

const TAU: f64 = std::f64::consts::TAU;

fn vortices(x: f64, y: f64, t: f64) -> f64 {
    let blob = |cx: f64, cy: f64, w: f64| (-((x - cx).powi(2) + (y - cy).powi(2)) / w).exp();
    blob(0.35 + 0.2 * t, 0.6, 0.012) - 0.8 * blob(0.65 - 0.2 * t, 0.4, 0.02)
        + 0.1 * (TAU * 3.0 * x).sin() * (TAU * 2.0 * y).cos()
}

fn lines() -> Lines {
    let x: Vec<f64> = (0..200).map(|i| 0.05 * f64::from(i)).collect();
    let curve = |f: &dyn Fn(f64) -> f64| x.iter().map(|x| f(*x)).collect::<Vec<f64>>();
    let decay = curve(&|x| (-0.2 * x).exp() * (2.0 * x).cos());
    let sparse: Vec<f64> = (0..12).map(|i| 0.4 + 0.8 * f64::from(i)).collect();
    let measured: Vec<f64> =
        sparse.iter().zip(noise(3, 12)).map(|(x, e)| (-0.2 * x).exp() * (2.0 * x).cos() + 0.08 * e).collect();
    let mut gap = curve(&|x| 0.4 * (0.7 * x).sin() - 0.5);
    gap[90..110].fill(f64::NAN);
    Lines {
        title: "Damped oscillator, ν = 0.2 s⁻¹".into(),
        x: Axis::linear("time t (s)"),
        y: Axis::linear("displacement u (m)"),
        series: vec![
            Series {
                band: Some((decay.iter().map(|y| y - 0.15).collect(), decay.iter().map(|y| y + 0.15).collect())),
                ..Series::new("mean of 64 samples", x.clone(), decay)
            },
            Series { style: LineStyle::Dashed, ..Series::new("envelope", x.clone(), curve(&|x| (-0.2 * x).exp())) },
            Series {
                style: LineStyle::Points,
                error: Some(vec![0.1; 12]),
                ..Series::new("measured", sparse, measured)
            },
            Series::new("with a gap", x, gap),
        ],
        legend: LegendPlace::Auto,
    }
}

fn losses() -> Lines {
    let steps: Vec<f64> = (0..20_000).map(f64::from).collect();
    let loss = |rate: f64, floor: f64, seed: u64| -> Vec<f64> {
        steps
            .iter()
            .zip(noise(seed, steps.len()))
            .map(|(s, e)| ((-s * rate).exp() + floor) * (1.0 + 0.35 * e))
            .collect()
    };
    Lines {
        title: "Training loss".into(),
        x: Axis::linear("step"),
        y: Axis::log("loss"),
        series: vec![
            Series::new("residual", steps.clone(), loss(4e-4, 2e-3, 1)),
            Series::new("boundary", steps.clone(), loss(8e-4, 1e-5, 2)),
            Series::new("data", steps.clone(), loss(2e-3, 3e-4, 3)),
        ],
        ..Lines::default()
    }
}

fn spectra() -> Spectra {
    let k: Vec<f64> = (1..128).map(f64::from).collect();
    let one = |label: &str, cut: f64, spread: f64, style: LineStyle| {
        let mean: Vec<f64> = k.iter().map(|k| k.powf(-5.0 / 3.0) * (-(k / cut).powi(2)).exp()).collect();
        let band = (mean.iter().map(|e| e / spread).collect(), mean.iter().map(|e| e * spread).collect());
        SpectrumLine { label: label.into(), wavenumber: k.clone(), mean, band: Some(band), style, colour: None }
    };
    Spectra {
        title: "Energy spectrum at t = 10".into(),
        y: Axis::log("E(k) (m³ s⁻²)"),
        spectra: vec![
            one("truth", 60.0, 1.3, LineStyle::Line),
            one("ODE sampler", 30.0, 1.8, LineStyle::Line),
            one("SDE sampler", 55.0, 1.6, LineStyle::Dashed),
        ],
        power_laws: vec![PowerLaw { exponent: -5.0 / 3.0, label: "k^(−5/3)".into() }],
        ..Spectra::default()
    }
}

fn heat_map() -> HeatMap {
    HeatMap {
        title: "Vorticity at t = 0.5".into(),
        x_label: "x (m)".into(),
        y_label: "y (m)".into(),
        field: field(128, 128, |x, y| vortices(x, y, 0.0)),
        extent: Some([0.0, TAU, 0.0, TAU]),
        colours: Colours { label: "ω (s⁻¹)".into(), ..Colours::default() },
        ..HeatMap::default()
    }
}

fn wide_heat_map() -> HeatMap {
    let mut temperature = field(96, 32, |x, y| 280.0 + 40.0 * y + 15.0 * (TAU * 2.0 * x).sin() * (TAU * y).sin());
    for i in 20..30 {
        temperature.values[i * 32 + 10..i * 32 + 18].fill(f64::NAN);
    }
    HeatMap {
        title: "Temperature with a hole, 2-D channel".into(),
        x_label: "x (km)".into(),
        y_label: "z (km)".into(),
        field: temperature,
        extent: Some([0.0, 3.0, 0.0, 1.0]),
        colours: Colours {
            label: "T (K)".into(),
            limits: Some((280.0, 310.0)),
            map: Some(ColourMap::Magma),
            ..Colours::default()
        },
        ..HeatMap::default()
    }
}

fn images(sharing: Sharing) -> Images {
    let row = |noise_level: f64, seed: u64, seen: bool| {
        let one = |column: u32| {
            let dots = noise(seed + u64::from(column), 64 * 64);
            let mut image = field(64, 64, |x, y| vortices(x, y, 0.3 * f64::from(column)));
            for (value, dot) in image.values.iter_mut().zip(&dots) {
                *value = if seen && *dot < 0.7 { f64::NAN } else { *value + noise_level * dot };
            }
            image
        };
        (0..6).map(one).collect::<Vec<Values2d>>()
    };
    Images {
        title: "Reconstruction from 15 % of the points".into(),
        rows: vec![row(0.0, 1, false), row(0.0, 20, true), row(0.1, 40, false), row(0.2, 60, false)],
        row_labels: ["truth", "seen", "ODE", "SDE"].map(String::from).to_vec(),
        column_labels: (0..6).map(|i| format!("sample {}", i + 1)).collect(),
        sharing,
        colours: Colours { label: "ω (s⁻¹)".into(), ..Colours::default() },
    }
}

fn histogram() -> Histogram {
    let shifted =
        |seed: u64, count: usize, by: f64, scale: f64| bell(seed, count).iter().map(|v| by + scale * v).collect();
    Histogram {
        title: "Energy of 4000 samples".into(),
        x: Axis::linear("energy (J)"),
        samples: vec![
            Sample { label: "data".into(), values: shifted(5, 4000, 2.0, 0.6), colour: None },
            Sample { label: "model".into(), values: shifted(6, 4000, 2.6, 0.8), colour: None },
            Sample { label: "baseline".into(), values: shifted(7, 1500, 0.6, 0.4), colour: None },
        ],
        density: true,
        ..Histogram::default()
    }
}

fn space_time(time_axis: TimeAxis) -> SpaceTime {
    SpaceTime {
        title: "Kuramoto–Sivashinsky".into(),
        field: field(600, 256, |t, x| {
            (TAU * (4.0 * x + (TAU * 3.0 * t).sin() * 0.4)).sin() + (TAU * (7.0 * x - 2.0 * t)).cos()
        }),
        times: Some((0.0, 120.0)),
        space: Some((0.0, 22.0)),
        time_axis,
        colours: Colours { label: "u".into(), ..Colours::default() },
        ..SpaceTime::default()
    }
}

fn vector_field(background: Background) -> VectorField {
    VectorField {
        title: "Taylor–Green flow".into(),
        x_label: "x".into(),
        y_label: "y".into(),
        u: field(64, 64, |x, y| (TAU * x).sin() * (TAU * y).cos()),
        v: field(64, 64, |x, y| -(TAU * x).cos() * (TAU * y).sin()),
        extent: Some([0.0, TAU, 0.0, TAU]),
        background,
        colours: Colours { label: "speed (m/s)".into(), ..Colours::default() },
        ..VectorField::default()
    }
}

fn trajectories() -> Trajectories {
    let orbit = |radius: f64, eccentricity: f64, turns: f64| {
        let angles: Vec<f64> = (0..=400).map(|i| turns * TAU * f64::from(i) / 400.0).collect();
        let r = |a: f64| radius * (1.0 - eccentricity * eccentricity) / (1.0 + eccentricity * a.cos());
        (angles.iter().map(|a| r(*a) * a.cos()).collect(), angles.iter().map(|a| r(*a) * a.sin()).collect())
    };
    let path = |(label, radius, eccentricity, turns): (&str, f64, f64, f64)| {
        let (x, y) = orbit(radius, eccentricity, turns);
        Trajectory { label: label.into(), x, y, ..Trajectory::default() }
    };
    Trajectories {
        title: "Orbits".into(),
        x_label: "x (AU)".into(),
        y_label: "y (AU)".into(),
        paths: [("inner", 0.4, 0.2, 0.9), ("middle", 1.0, 0.02, 0.7), ("outer", 1.6, 0.3, 0.4)].map(path).to_vec(),
        ..Trajectories::default()
    }
}

fn panels() -> Panels {
    let all = vec![
        Panel::HeatMap(heat_map()),
        Panel::Lines(losses()),
        Panel::Spectra(spectra()),
        Panel::Histogram(histogram()),
    ];
    Panels::in_columns("A run at a glance", all, 2)
}

pub(super) fn many_lines() -> Lines {
    let x: Vec<f64> = (0..50).map(f64::from).collect();
    let one = |n: u32| {
        Series::new(
            format!("mode {n} of the expansion"),
            x.clone(),
            x.iter().map(|x| (0.1 * x + 0.6 * f64::from(n)).sin() * 1e-5).collect(),
        )
    };
    Lines {
        title: "Many curves, no room inside for a legend, and a title so long that it has to be broken into two lines"
            .into(),
        x: Axis::linear("step"),
        y: Axis::linear("amplitude (m)"),
        series: (0..11).map(one).collect(),
        ..Lines::default()
    }
}

fn awkward() -> Panels {
    let line = |title: &str, x: Vec<f64>, y: Vec<f64>, axis: Axis| {
        Panel::Lines(Lines {
            title: title.into(),
            x: Axis::linear("x"),
            y: axis,
            series: vec![Series::new("", x, y)],
            ..Lines::default()
        })
    };
    let steps: Vec<f64> = (0..50).map(f64::from).collect();
    let near = steps.iter().map(|x| 101_325.0 + 1e-3 * (0.2 * x).sin()).collect();
    let huge = steps.iter().map(|x| 10_f64.powf(12.0 * x - 300.0)).collect();
    let all = vec![
        line("one point", vec![2.0], vec![3.0], Axis::linear("y")),
        line("constant", steps.clone(), vec![5.0; 50], Axis::linear("y")),
        line("far from zero", steps.clone(), near, Axis::linear("pressure (Pa)")),
        line("1e-300 to 1e288", steps.clone(), huge, Axis::log("y")),
        line("only NaN", steps.clone(), vec![f64::NAN; 50], Axis::linear("y")),
        line("less than a decade", steps.clone(), steps.iter().map(|x| 2.0 + 0.12 * x).collect(), Axis::log("y")),
    ];
    Panels::in_columns("", all, 3)
}

/// Every kind with a name.
pub(super) fn figures() -> Vec<(&'static str, Figure)> {
    let panels = vec![
        ("lines", Panel::Lines(lines())),
        ("losses", Panel::Lines(losses())),
        ("many_lines", Panel::Lines(many_lines())),
        ("spectra", Panel::Spectra(spectra())),
        ("heat_map", Panel::HeatMap(heat_map())),
        ("wide_heat_map", Panel::HeatMap(wide_heat_map())),
        ("images", Panel::Images(images(Sharing::All))),
        ("images_by_row", Panel::Images(images(Sharing::Row))),
        ("histogram", Panel::Histogram(histogram())),
        ("space_time", Panel::SpaceTime(space_time(TimeAxis::X))),
        ("space_time_up", Panel::SpaceTime(space_time(TimeAxis::Y))),
        ("vectors", Panel::VectorField(vector_field(Background::Length))),
        ("vectors_white", Panel::VectorField(vector_field(Background::None))),
        ("trajectories", Panel::Trajectories(trajectories())),
        ("panels", Panel::Panels(panels())),
        ("awkward", Panel::Panels(awkward())),
    ];
    panels.into_iter().map(|(name, panel)| (name, Figure::new(panel))).collect()
}

pub(super) fn animation(frames: u32) -> Animation {
    let fields = (0..frames).map(|n| field(96, 96, |x, y| vortices(x, y, 0.04 * f64::from(n)))).collect();
    let times: Vec<f64> = (0..frames).map(|n| 0.05 * f64::from(n)).collect();
    let like = HeatMap { title: "Vorticity".into(), ..heat_map() };
    Animation::of_fields(&like, fields, &times).unwrap()
}

#[test]
#[ignore = "writes pictures to look at"]
fn write_the_gallery() {
    let folder = std::env::var("ANSATZ_GALLERY").map_or(std::env::temp_dir().join("plots"), std::path::PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, figure) in figures() {
        let start = std::time::Instant::now();
        figure.save(folder.join(format!("{name}.png"))).unwrap();
        println!("{name}: png in {:?}", start.elapsed());
        figure.save(folder.join(format!("{name}.svg"))).unwrap();
    }
    let start = std::time::Instant::now();
    animation(24).save(folder.join("animation.gif")).unwrap();
    println!("animation: 24 frames in {:?}", start.elapsed());
}
