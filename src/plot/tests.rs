//! What every kind of picture promises, and what bad data gets instead of a panic.

use super::gallery::{animation, field, figures, many_lines};
use super::*;

fn one_line(x: Vec<f64>, y: Vec<f64>) -> Lines {
    Lines { series: vec![Series::new("a", x, y)], ..Lines::default() }
}

fn figure(lines: Lines) -> Figure {
    Figure { scale: 1.0, ..Figure::new(Panel::Lines(lines)) }
}

/// Width and height in the header of a PNG.
fn png_size(bytes: &[u8]) -> (u32, u32) {
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn every_kind_has_the_size_it_says_and_is_drawn_the_same_twice() {
    for (name, figure) in figures() {
        let figure = Figure { scale: 0.5, ..figure };
        let (width, height) = figure.size_or_natural();
        let (width, height) = ((0.5 * width).round(), (0.5 * height).round());
        let bytes = figure.to_png_bytes().unwrap();
        assert_eq!(png_size(&bytes), (width as u32, height as u32), "{name}");
        assert_eq!(bytes, figure.clone().to_png_bytes().unwrap(), "{name}");
        assert_eq!(figure.to_svg_string().unwrap(), figure.to_svg_string().unwrap(), "{name}");
    }
}

#[test]
fn scale_multiplies_the_pixels_of_a_png() {
    let figure = Figure { size: Some((300.0, 200.0)), scale: 1.5, ..figure(one_line(vec![0.0, 1.0], vec![0.0, 1.0])) };
    assert_eq!(png_size(&figure.to_png_bytes().unwrap()), (450, 300));
}

#[test]
fn svg_holds_titles_labels_legends_and_no_markup_from_them() {
    let lines = Lines {
        title: "a < b & c".into(),
        x: Axis::linear("time t (s)"),
        y: Axis::log("energy (J)"),
        ..one_line(vec![1.0, 2.0], vec![1e-3, 1e2])
    };
    let svg = figure(lines).to_svg_string().unwrap();
    for part in ["a &lt; b &amp; c", "time t (s)", "energy (J)", "10⁻²", ">\na\n<"] {
        assert!(svg.contains(part), "{part} is missing in {svg}");
    }
}

#[test]
fn nothing_is_drawn_outside_the_picture() {
    for (name, figure) in figures() {
        assert_inside(name, &figure);
    }
}

fn assert_inside(name: &str, figure: &Figure) {
    let (width, height) = figure.size_or_natural();
    let scene = figure.scene((width, height)).unwrap();
    let edge = Area::new(-0.6, -0.6, width + 0.6, height + 0.6);
    for mark in &scene.marks {
        let corners = match mark {
            scene::Mark::Line { points, .. } | scene::Mark::Polygon { points, .. } => points.clone(),
            scene::Mark::Rect { area, .. } | scene::Mark::Image { area, .. } => {
                vec![(area.left, area.top), (area.right, area.bottom)]
            }
            scene::Mark::Disc { centre, .. } => vec![*centre],
            scene::Mark::Text(text) => text_corners(text),
        };
        assert!(corners.iter().all(|corner| edge.contains(*corner)), "{name}: {mark:?} in {width} × {height}");
    }
}

fn text_corners(text: &scene::Text) -> Vec<scene::Point> {
    let width = font::width(&text.text, text.em);
    let start = match text.anchor {
        scene::Anchor::Start => 0.0,
        scene::Anchor::Middle => -0.5 * width,
        scene::Anchor::End => -width,
    };
    let half = 0.5 * text.em;
    let (x, y) = text.at;
    let ends = [start, start + width];
    if text.upright {
        ends.iter().flat_map(|end| [(x - half, y - end), (x + half, y - end)]).collect()
    } else {
        ends.iter().flat_map(|end| [(x + end, y - half), (x + end, y + half)]).collect()
    }
}

#[test]
fn texts_of_an_axis_do_not_touch() {
    for (name, figure) in figures() {
        let scene = figure.scene(figure.size_or_natural()).unwrap();
        let boxes: Vec<(Area, &str)> = scene
            .marks
            .iter()
            .filter_map(|mark| if let scene::Mark::Text(text) = mark { Some(text) } else { None })
            .map(|text| {
                let corners = text_corners(text);
                let fold = |pick: fn(&scene::Point) -> f64, start: f64, best: fn(f64, f64) -> f64| {
                    corners.iter().map(pick).fold(start, best)
                };
                let (left, right) = (fold(|c| c.0, f64::MAX, f64::min), fold(|c| c.0, f64::MIN, f64::max));
                let (top, bottom) = (fold(|c| c.1, f64::MAX, f64::min), fold(|c| c.1, f64::MIN, f64::max));
                (Area::new(left, top + 1.5, right, bottom - 1.5), text.text.as_str())
            })
            .collect();
        for (index, (a, first)) in boxes.iter().enumerate() {
            for (b, second) in boxes.iter().skip(index + 1) {
                let apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
                assert!(apart, "{name}: `{first}` and `{second}` overlap");
            }
        }
    }
}

#[test]
fn hostile_numbers_are_drawn_and_never_panic() {
    let steps = |count: u32| (0..count).map(f64::from).collect::<Vec<f64>>();
    let sets: Vec<(&str, Vec<f64>)> = vec![
        ("one point", vec![1.0]),
        ("one NaN", vec![f64::NAN]),
        ("infinities", vec![f64::INFINITY, 1.0, f64::NEG_INFINITY, 2.0]),
        ("a constant", vec![5.0; 10]),
        ("zeros", vec![0.0; 10]),
        ("negative zeros", vec![-0.0; 10]),
        ("the largest numbers", vec![f64::MAX, f64::MIN, 0.0]),
        ("the largest number", vec![f64::MAX; 3]),
        ("the smallest numbers", vec![5e-324, 1e-310, f64::MIN_POSITIVE]),
        ("one subnormal", vec![5e-324; 3]),
        ("huge and small", vec![1e-300, 1.0, 1e300]),
        ("neighbouring numbers", vec![1.0, 1.0 + f64::EPSILON, 1.0]),
        ("far from zero", vec![1e15, 1e15 + 1.0, 1e15 + 2.0]),
        ("negative", vec![-3.0, -2.0, -1.0]),
        ("NaN between", vec![1.0, f64::NAN, 2.0, 3.0, f64::NAN, 4.0]),
        ("a hundred thousand", (0..100_000).map(|i| f64::from(i).sin()).collect()),
    ];
    for (name, values) in sets {
        let places = steps(values.len() as u32);
        for (x_scale, y_scale) in
            [(Scale::Linear, Scale::Linear), (Scale::Linear, Scale::Log), (Scale::Log, Scale::Log)]
        {
            for (x, y) in [(&places, &values), (&values, &places)] {
                let axis = |scale: Scale| Axis { scale, ..Axis::default() };
                for style in [LineStyle::LineAndPoints, LineStyle::Dashed] {
                    let band = Some((y.iter().map(|y| y - 1.0).collect(), y.iter().map(|y| y + 1.0).collect()));
                    let error = (y.len() < 1000).then(|| y.clone());
                    let series = Series { style, band, error, ..Series::new(name, x.clone(), y.clone()) };
                    let lines = Lines { x: axis(x_scale), y: axis(y_scale), series: vec![series], ..Lines::default() };
                    // Points by the hundred thousand are drawn once, not eight times.
                    if values.len() < 1000 || style == LineStyle::Dashed {
                        drawn(name, Panel::Lines(lines));
                    }
                }
            }
        }
        let sample = |values: &[f64]| Sample { values: values.to_vec(), ..Sample::default() };
        for density in [false, true] {
            drawn(
                name,
                Panel::Histogram(Histogram { samples: vec![sample(&values)], density, ..Histogram::default() }),
            );
            let y = Axis::log("");
            drawn(
                name,
                Panel::Histogram(Histogram { samples: vec![sample(&values)], density, y, ..Histogram::default() }),
            );
        }
        let field = Values2d { shape: [values.len(), 1], values: values.clone() };
        for scale in [Scale::Linear, Scale::Log] {
            let colours = Colours { scale, ..Colours::default() };
            drawn(
                name,
                Panel::HeatMap(HeatMap { field: field.clone(), colours: colours.clone(), ..HeatMap::default() }),
            );
            let rows = vec![vec![field.clone(), field.transposed()], vec![Values2d::default(), field.clone()]];
            for sharing in [Sharing::All, Sharing::Row, Sharing::Image] {
                drawn(
                    name,
                    Panel::Images(Images {
                        rows: rows.clone(),
                        sharing,
                        colours: colours.clone(),
                        ..Images::default()
                    }),
                );
            }
        }
        drawn(name, Panel::SpaceTime(SpaceTime { field: field.clone(), ..SpaceTime::default() }));
        drawn(name, Panel::VectorField(VectorField { u: field.clone(), v: field.clone(), ..VectorField::default() }));
        let path = Trajectory { x: values.clone(), y: places.clone(), ..Trajectory::default() };
        drawn(name, Panel::Trajectories(Trajectories { paths: vec![path], ..Trajectories::default() }));
    }
}

fn drawn(name: &str, panel: Panel) {
    let figure = Figure { size: Some((320.0, 240.0)), scale: 0.5, panel };
    let kind = || format!("{:.0?}", figure.panel).chars().take(12).collect::<String>();
    figure.to_png_bytes().unwrap_or_else(|error| panic!("{name}, {}: {error}", kind()));
    figure.to_svg_string().unwrap_or_else(|error| panic!("{name}, {}: {error}", kind()));
}

#[test]
fn hostile_texts_are_cut_and_kept_inside() {
    let texts = [
        "a".repeat(5000),
        "word ".repeat(2000),
        "line\nline\n\n".repeat(50),
        "\u{0}\u{7}\u{ffff}".into(),
        "日本語 🙂".into(),
    ];
    for text in texts {
        let axis = || Axis::linear(text.clone());
        let series = (0..300).map(|_| Series::new(text.clone(), vec![0.0, 1.0], vec![0.0, 1.0])).collect();
        let lines = Lines { title: text.clone(), x: axis(), y: axis(), series, ..Lines::default() };
        let colours = Colours { label: text.clone(), ..Colours::default() };
        let map = HeatMap {
            title: text.clone(),
            field: field(2, 2, |x, _| x),
            colours: colours.clone(),
            ..HeatMap::default()
        };
        let rows = vec![vec![field(2, 2, |x, _| x)]; 2];
        let row_labels = vec![text.clone(); 2];
        let images = Images {
            title: text.clone(),
            rows,
            column_labels: vec![text.clone()],
            row_labels,
            colours,
            ..Images::default()
        };
        for panel in [Panel::Lines(lines), Panel::HeatMap(map), Panel::Images(images)] {
            for figure in [Figure::new(panel.clone()), Figure { size: Some((400.0, 300.0)), ..Figure::new(panel) }] {
                assert_inside("hostile text", &figure);
                assert!(!figure.to_svg_string().unwrap().contains(['\u{0}', '\u{ffff}']));
            }
        }
    }
}

#[test]
fn any_size_is_drawn_or_refused() {
    for (name, figure) in figures() {
        for size in [(40.0, 40.0), (60.0, 500.0), (500.0, 60.0), (90.0, 90.0), (130.0, 110.0), (2000.0, 150.0)] {
            match (Figure { size: Some(size), ..figure.clone() }).to_svg_string() {
                Ok(_) | Err(PlotError::TooSmall { .. }) => {}
                Err(error) => panic!("{name} at {size:?}: {error}"),
            }
        }
    }
    let rows = vec![vec![field(3, 3, |x, y| x - y)]; 60];
    for sharing in [Sharing::All, Sharing::Row, Sharing::Image] {
        let panel = Panel::Images(Images { rows: rows.clone(), sharing, ..Images::default() });
        Figure { size: Some((400.0, 300.0)), scale: 1.0, panel }.to_png_bytes().unwrap();
    }
}

#[test]
fn mistakes_have_a_message_of_their_own() {
    let xs = || vec![1.0, 2.0];
    let map = |field: Values2d| Panel::HeatMap(HeatMap { field, ..HeatMap::default() });
    let limited = |limits: (f64, f64), scale: Scale| {
        Panel::Lines(Lines { y: Axis { limits: Some(limits), scale, ..Axis::default() }, ..one_line(xs(), xs()) })
    };
    let histogram = |bins: Bins| {
        Panel::Histogram(Histogram {
            samples: vec![Sample { values: xs(), ..Sample::default() }],
            bins,
            ..Histogram::default()
        })
    };
    let banded = Series { band: Some((xs(), vec![1.0])), ..Series::new("mean", xs(), xs()) };
    let cases = [
        (Panel::Lines(Lines::default()), "the list of series is empty: there is nothing to draw"),
        (Panel::Lines(one_line(vec![], vec![])), "series `a` is empty: there is nothing to draw"),
        (Panel::Lines(one_line(xs(), vec![1.0])), "y of series `a` has 1 values, expected 2: one for each x"),
        (
            Panel::Lines(Lines { series: vec![banded], ..Lines::default() }),
            "the upper band of series `mean` has 1 values, expected 2: one for each x",
        ),
        (
            limited((2.0, 1.0), Scale::Linear),
            "limits of the y axis are (2, 1): expected two finite numbers, the first below the second",
        ),
        (
            limited((f64::NAN, 1.0), Scale::Linear),
            "limits of the y axis are (NaN, 1): expected two finite numbers, the first below the second",
        ),
        (
            limited((-1.0, 1.0), Scale::Log),
            "limits of the y axis are (-1, 1): a logarithmic scale needs both above zero",
        ),
        (map(Values2d::default()), "the field is empty: there is nothing to draw"),
        (map(Values2d { shape: [2, 3], values: xs() }), "the field has 2 values, expected 6: its shape is [2, 3]"),
        (
            map(Values2d { shape: [usize::MAX, 2], values: xs() }),
            "the number of cells of the field is 36893488147419103000: expected at most 100 million",
        ),
        (histogram(Bins::Count(0)), "the number of bins is 0: expected 1 to 10 000"),
        (
            histogram(Bins::Edges(vec![1.0, 1.0])),
            "the number of edges of bins is 2: expected at least two finite edges in increasing order",
        ),
        (Panel::Images(Images::default()), "the list of images is empty: there is nothing to draw"),
        (Panel::Panels(Panels::default()), "the grid of panels is empty: there is nothing to draw"),
        (Panel::Trajectories(Trajectories::default()), "the list of paths is empty: there is nothing to draw"),
    ];
    for (panel, message) in cases {
        assert_eq!(Figure::new(panel).to_svg_string().unwrap_err().to_string(), message);
    }
}

#[test]
fn sizes_are_bounded_before_anything_is_allocated() {
    let sized = |width: f64, height: f64, scale: f64| {
        let figure = Figure { size: Some((width, height)), scale, ..figure(one_line(vec![0.0], vec![0.0])) };
        figure.to_png_bytes().unwrap_err().to_string()
    };
    for (width, height, scale) in [
        (16_000.0, 16_000.0, 1.0),
        (640.0, 480.0, 1e9),
        (640.0, 480.0, f64::NAN),
        (f64::NAN, 10.0, 1.0),
        (640.0, 480.0, -1.0),
    ] {
        assert!(sized(width, height, scale).contains("too large"), "{width} {height} {scale}");
    }
    for (width, height) in [(10.0, 10.0), (-1.0, 100.0), (60.0, 60.0)] {
        assert!(sized(width, height, 1.0).contains("no room"), "{width} {height}");
    }
}

#[test]
fn a_logarithmic_axis_leaves_gaps_for_what_it_cannot_show() {
    let lines = Lines {
        y: Axis::log("y"),
        ..one_line(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], vec![1.0, 10.0, 0.0, -1.0, 100.0, 1000.0])
    };
    let scene = figure(lines).scene((640.0, 420.0)).unwrap();
    let curves = scene.marks.iter().filter(|mark| matches!(mark, scene::Mark::Line { width, .. } if *width == 1.7));
    assert_eq!(curves.count(), 2);
}

#[test]
fn a_map_has_its_first_axis_to_the_right_and_its_second_upwards() {
    let corner = field(4, 3, |x, y| if x < 0.25 && y > 0.7 { 1.0 } else { 0.0 });
    let image = Colours::default().fit(std::iter::once(&corner)).unwrap().image(&corner);
    assert_eq!((image.columns, image.rows), (4, 3));
    assert_ne!(image.pixels[..3], image.pixels[3..6]);
    assert_eq!(image.pixels[3..6], image.pixels[33..36]);
}

#[test]
fn colours_follow_the_data() {
    let cases = [
        (vec![-1.0, 2.0], ColourMap::RedBlue, (-2.0, 2.0)),
        (vec![-0.01, 2.0], ColourMap::Viridis, (-0.01, 2.0)),
        (vec![f64::NAN, 1.0, 2.0], ColourMap::Viridis, (1.0, 2.0)),
    ];
    for (values, map, limits) in cases {
        let field = Values2d { shape: [values.len(), 1], values };
        let palette = Colours::default().fit(std::iter::once(&field)).unwrap();
        assert_eq!((palette.map, (palette.span.low, palette.span.high)), (map, limits));
        assert_eq!(palette.colour(f64::NAN), map.gap());
        assert!(ColourMap::ALL.iter().all(|(name, map)| ColourMap::from_name(name) == Some(*map)));
    }
}

#[test]
fn histograms_count_everything_once() {
    let values = vec![0.0, 0.5, 1.0, 1.0, 2.0, f64::NAN];
    let svg = |density: bool| {
        let samples = vec![Sample { values: values.clone(), ..Sample::default() }];
        let bins = Bins::Edges(vec![0.0, 1.0, 2.0]);
        Figure::new(Panel::Histogram(Histogram { samples, bins, density, ..Histogram::default() }))
            .to_svg_string()
            .unwrap()
    };
    assert!(svg(false).contains("count") && svg(true).contains("density"));
}

#[test]
fn files_are_written_by_their_ending_and_leave_nothing_else() {
    let folder = std::env::temp_dir().join(format!("ansatz-plot-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let figure = figure(many_lines());
    figure.save(folder.join("a.PNG")).unwrap();
    figure.save(folder.join("a.svg")).unwrap();
    animation(2).save(folder.join("a.gif")).unwrap();
    let message = figure.save(folder.join("a.gif")).unwrap_err().to_string();
    assert!(message.contains("known endings are .png and .svg (.gif for animations)"), "{message}");
    assert!(animation(2).save(folder.join("a.png")).unwrap_err().to_string().contains(".gif for animations"));
    assert!(figure.save(folder.join("none/a.png")).unwrap_err().to_string().contains("cannot write"));
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.PNG", "a.gif", "a.svg"]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_animation_keeps_limits_size_and_order_and_can_be_stopped() {
    let animation = animation(3);
    let bytes = animation.to_gif_bytes().unwrap();
    assert_eq!(bytes, animation.clone().to_gif_bytes().unwrap());
    assert_eq!(&bytes[..6], b"GIF89a");
    let titles: Vec<String> = animation.frames.iter().map(|frame| frame.to_svg_string().unwrap()).collect();
    assert!(titles[1].contains("t = 0.05") && titles[2].contains("t = 0.1"));
    let stopped = animation.to_gif_bytes_with(&mut |done, _| done < 1).unwrap_err();
    assert_eq!(stopped.to_string(), "stopped after 1 of 3 frames");
    let fast = Animation { frames_per_second: 1e3, ..animation };
    assert!(fast.to_gif_bytes().unwrap_err().to_string().contains("0.1 to 50"));
    assert!(Animation::default().to_gif_bytes().unwrap_err().to_string().contains("empty"));
}
