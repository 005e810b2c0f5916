//! Several panels in one figure.

use super::Draw;
use super::Panel;
use super::error::PlotError;
use super::font;
use super::frame::{GAP, draw_title, title_height};
use super::scene::{Area, Scene};

/// Panels in rows, each row as high as its tallest panel and each column as wide as its widest.
#[derive(Clone, Debug, Default)]
pub struct Panels {
    pub title: String,
    pub rows: Vec<Vec<Panel>>,
}

/// Panels side by side may be smaller than alone and are as easy to read.
const SMALLER: f64 = 0.8;
/// Height of the title over all panels, above those of the panels.
const HEADING: f64 = 16.0;
const DEEPEST: usize = 8;

impl Draw for Panels {
    fn natural_size(&self) -> (f64, f64) {
        let (widths, heights) = self.natural_sizes();
        let title = if self.title.is_empty() { 0.0 } else { HEADING + 14.0 };
        (widths.iter().sum(), heights.iter().sum::<f64>() + title)
    }

    /// # Errors
    /// [`PlotError::Empty`] without panels, [`PlotError::Value`] for grids in grids beyond eight, those of the panels.
    fn draw(&self, scene: &mut Scene, area: Area) -> Result<(), PlotError> {
        if self.rows.iter().all(Vec::is_empty) {
            return Err(PlotError::Empty { what: "the grid of panels".into() });
        }
        if self.depth() > DEEPEST {
            return Err(PlotError::Value {
                what: "the depth of grids in grids".into(),
                value: self.depth() as f64,
                expected: "at most 8",
            });
        }
        let title = font::wrap(&self.title, HEADING, area.width() - 4.0 * GAP);
        draw_title(scene, &title, HEADING, (area.middle().0, area.top + title_height(&title, HEADING)), area);
        let inner = Area { top: area.top + title_height(&title, HEADING), ..area };
        let (widths, heights) = self.natural_sizes();
        let wider = inner.width() / widths.iter().sum::<f64>();
        let higher = inner.height() / heights.iter().sum::<f64>();
        let mut top = inner.top;
        for (row, height) in self.rows.iter().zip(heights) {
            let mut left = inner.left;
            for (panel, width) in row.iter().zip(&widths) {
                let place = Area::new(left, top, left + width * wider, top + height * higher);
                panel.draw(scene, Area { left: place.left + 4.0, right: place.right - 4.0, ..place })?;
                left = place.right;
            }
            top += height * higher;
        }
        Ok(())
    }
}

impl Panels {
    /// Panels one after the other in rows of `columns`.
    pub fn in_columns(title: impl Into<String>, panels: Vec<Panel>, columns: usize) -> Self {
        let mut rows: Vec<Vec<Panel>> = Vec::new();
        for panel in panels {
            match rows.last_mut() {
                Some(row) if row.len() < columns => row.push(panel),
                _ => rows.push(vec![panel]),
            }
        }
        Panels { title: title.into(), rows }
    }

    pub(crate) fn depth(&self) -> usize {
        1 + self.rows.iter().flatten().map(Panel::depth).max().unwrap_or(0)
    }

    /// Widths of the columns and heights of the rows.
    fn natural_sizes(&self) -> (Vec<f64>, Vec<f64>) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0.0_f64; columns];
        let mut heights = vec![0.0_f64; self.rows.len()];
        for (row, height) in self.rows.iter().zip(&mut heights) {
            for (panel, width) in row.iter().zip(&mut widths) {
                let (natural_width, natural_height) = panel.natural_size();
                *width = width.max(SMALLER * natural_width);
                *height = height.max(SMALLER * natural_height);
            }
        }
        (widths, heights)
    }
}
