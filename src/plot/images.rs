//! Rows of small maps: samples, methods or times side by side.

use super::Draw;
use super::colour::Colour;
use super::colour_bar::{Colours, Palette};
use super::error::PlotError;
use super::font;
use super::frame::{GAP, LABEL, SMALL, TITLE, draw_title, title_height};
use super::scene::{Anchor, Area, Scene};
use super::values::Values2d;

/// Which images share their limits, and with them a colour bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// All of them: one bar.
    #[default]
    All,
    /// Those of one row: a bar beside each row.
    Row,
    /// None: each image from its smallest to its largest value, and no bar.
    Image,
}

/// A grid of images. Every image is a field `[nx, ny]`, x to the right and y upwards.
#[derive(Clone, Debug, Default)]
pub struct Images {
    pub title: String,
    /// Row by row. Rows may differ in length; a field of shape `[0, 0]` leaves its place empty.
    pub rows: Vec<Vec<Values2d>>,
    /// Beside the rows, by default nothing.
    pub row_labels: Vec<String>,
    /// Above the columns, by default nothing.
    pub column_labels: Vec<String>,
    pub sharing: Sharing,
    /// Map, limits, label and whether there are bars.
    pub colours: Colours,
}

const BETWEEN: f64 = 5.0;

impl Draw for Images {
    fn natural_size(&self) -> (f64, f64) {
        let (columns, rows) = (self.columns().max(1) as f64, self.rows.len().max(1) as f64);
        let side = (780.0 / columns).min(900.0 / rows).clamp(48.0, 240.0);
        let (width, height) = (side * self.ratio().min(1.0), side / self.ratio().max(1.0));
        let bar = if self.has_bars() { 95.0 } else { 0.0 };
        let title = if self.title.is_empty() { 0.0 } else { TITLE + 14.0 };
        let labels = if self.column_labels.is_empty() { 0.0 } else { LABEL + GAP };
        (
            columns * (width + BETWEEN) + self.label_width() + bar + 4.0 * GAP,
            rows * (height + BETWEEN) + title + labels + 4.0 * GAP,
        )
    }

    /// # Errors
    /// [`PlotError::Empty`], [`PlotError::Length`], [`PlotError::Limits`], [`PlotError::LogLimits`], [`PlotError::TooSmall`].
    fn draw(&self, scene: &mut Scene, area: Area) -> Result<(), PlotError> {
        self.check()?;
        let palettes = self.palettes()?;
        let places = self.places(area, &palettes)?;
        for (row, column, image) in self.numbered() {
            let palette = match self.sharing {
                Sharing::Image => self.colours.fit(std::iter::once(image))?,
                _ => {
                    palettes.get(row).or(palettes.first()).cloned().unwrap_or(self.colours.fit(std::iter::once(image))?)
                }
            };
            let place = fitted(places.at(row, column), image.shape);
            scene.image(place, palette.image(image));
            scene.outline(place, Colour(0x80, 0x80, 0x80));
        }
        self.draw_labels(scene, &places);
        self.draw_bars(scene, &places, &palettes);
        let title = font::wrap(&self.title, TITLE, area.width() - 4.0 * GAP);
        draw_title(scene, &title, TITLE, (area.middle().0, area.top + title_height(&title, TITLE)), area);
        Ok(())
    }
}

impl Images {
    fn columns(&self) -> usize {
        self.rows.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Width over height of one place: that of the first image, within 1 : 4.
    fn ratio(&self) -> f64 {
        let first = self.rows.iter().flatten().find(|image| !image.values.is_empty());
        first.map_or(1.0, |image| image.shape[0] as f64 / image.shape[1].max(1) as f64).clamp(0.25, 4.0)
    }

    fn label_width(&self) -> f64 {
        let widest = self.row_labels.iter().map(|label| font::width(label, LABEL)).fold(0.0, f64::max);
        if widest > 0.0 { widest.min(130.0) + 2.0 * GAP } else { 0.0 }
    }

    fn has_bars(&self) -> bool {
        self.colours.bar && self.sharing != Sharing::Image
    }

    fn check(&self) -> Result<(), PlotError> {
        let mut any = false;
        for (row, column, image) in self.numbered() {
            image.check(&format!("image {} of row {}", column + 1, row + 1))?;
            any = true;
        }
        if !any {
            return Err(PlotError::Empty { what: "the list of images".into() });
        }
        let labels = [
            ("row labels", self.row_labels.len(), self.rows.len()),
            ("column labels", self.column_labels.len(), self.columns()),
        ];
        for (what, got, expected) in labels {
            if got != 0 && got != expected {
                let why = "one for each, or none".to_string();
                return Err(PlotError::Length { what: format!("the list of {what}"), got, expected, why });
            }
        }
        Ok(())
    }

    /// Images that are there, with row and column.
    fn numbered(&self) -> impl Iterator<Item = (usize, usize, &Values2d)> {
        let all = self
            .rows
            .iter()
            .enumerate()
            .flat_map(|(row, images)| images.iter().enumerate().map(move |(column, image)| (row, column, image)));
        all.filter(|(_, _, image)| image.shape != [0, 0] || !image.values.is_empty())
    }

    /// One for all, one for each row, or none.
    fn palettes(&self) -> Result<Vec<Palette>, PlotError> {
        match self.sharing {
            Sharing::All => Ok(vec![self.colours.fit(self.numbered().map(|(_, _, image)| image))?]),
            Sharing::Row => (0..self.rows.len())
                .map(|row| self.colours.fit(self.numbered().filter(|(at, _, _)| *at == row).map(|(_, _, image)| image)))
                .collect(),
            Sharing::Image => Ok(Vec::new()),
        }
    }

    fn places(&self, area: Area, palettes: &[Palette]) -> Result<Places, PlotError> {
        let (columns, rows) = (self.columns(), self.rows.len());
        let title = font::wrap(&self.title, TITLE, area.width() - 4.0 * GAP);
        let labels = if self.column_labels.is_empty() { 0.0 } else { LABEL + GAP };
        let top = area.top + title_height(&title, TITLE).max(GAP) + labels;
        let left = area.left + GAP + self.label_width();
        let row_height = (area.bottom - GAP - top) / rows as f64;
        let bar_height = if self.sharing == Sharing::Row { row_height } else { area.bottom - top };
        let bar = palettes.iter().map(|palette| palette.width(bar_height)).fold(0.0, f64::max);
        let right = area.right - GAP - if self.has_bars() { bar } else { 0.0 };
        let width = ((right - left) / columns as f64).min(row_height * self.ratio());
        let height = width / self.ratio();
        if width < 4.0 || height < 4.0 || !width.is_finite() {
            return Err(PlotError::TooSmall { width: area.width(), height: area.height(), what: "images" });
        }
        let left = left + 0.5 * (right - left - width * columns as f64);
        let top = top + 0.5 * (area.bottom - GAP - top - height * rows as f64);
        let all = Area::new(left, top, left + width * columns as f64, top + height * rows as f64);
        Ok(Places { all, width, height })
    }

    fn draw_labels(&self, scene: &mut Scene, places: &Places) {
        for (row, label) in self.row_labels.iter().enumerate() {
            let at = (places.all.left - GAP, places.at(row, 0).middle().1);
            scene.text(font::cut(label, LABEL, 131.0), at, LABEL, Anchor::End);
        }
        let widest = self.column_labels.iter().map(|label| font::width(label, LABEL)).fold(0.0, f64::max);
        let em = if widest > places.width - 4.0 { SMALL } else { LABEL };
        for (column, label) in self.column_labels.iter().enumerate() {
            let at = (places.at(0, column).middle().0, places.all.top - 0.5 * LABEL - 3.0);
            scene.text(font::cut(label, em, places.width), at, em, Anchor::Middle);
        }
    }

    fn draw_bars(&self, scene: &mut Scene, places: &Places, palettes: &[Palette]) {
        if !self.has_bars() {
            return;
        }
        let text_width = palettes.iter().map(|palette| palette.text_width(places.height)).fold(0.0, f64::max);
        for (row, palette) in palettes.iter().enumerate() {
            let beside = match self.sharing {
                Sharing::Row => Area { left: places.all.left, right: places.all.right, ..places.at(row, 0) },
                _ => Area::new(
                    places.all.left,
                    places.at(0, 0).top,
                    places.all.right,
                    places.at(self.rows.len() - 1, 0).bottom,
                ),
            };
            let text_width =
                if self.sharing == Sharing::Row { text_width } else { palette.text_width(beside.height()) };
            palette.draw_bar(scene, beside, text_width);
        }
    }
}

/// Where the images stand.
struct Places {
    all: Area,
    width: f64,
    height: f64,
}

impl Places {
    fn at(&self, row: usize, column: usize) -> Area {
        let (left, top) = (self.all.left + column as f64 * self.width, self.all.top + row as f64 * self.height);
        let half = 0.5 * BETWEEN.min(0.2 * self.width);
        Area::new(left + half, top + half, left + self.width - half, top + self.height - half)
    }
}

/// The largest area of this image's shape in the middle of its place.
fn fitted(place: Area, [nx, ny]: [usize; 2]) -> Area {
    let ratio = (nx as f64 / ny.max(1) as f64).clamp(0.125, 8.0);
    let (width, height) = (place.width().min(place.height() * ratio), place.height().min(place.width() / ratio));
    let (x, y) = place.middle();
    Area::new(x - 0.5 * width, y - 0.5 * height, x + 0.5 * width, y + 0.5 * height)
}
