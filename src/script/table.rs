//! Tables as text: numbers to the right, words to the left, columns two spaces apart.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use rhai::{Dynamic, Map};

use super::value::{compact, number_of};
use crate::tensor::{Tensor, number};

/// A header and rows of text.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// A line above the header; empty when there is none.
    pub title: String,
    /// Names of the columns.
    pub header: Vec<String>,
    /// Rows of cells.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(title: impl Into<String>, header: Vec<String>) -> Self {
        Self { title: title.into(), header, rows: Vec::new() }
    }
    fn columns(&self) -> usize {
        self.rows.iter().map(Vec::len).chain([self.header.len()]).max().unwrap_or(0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |text: &str| text.chars().count();
        let columns = self.columns();
        let cell = |row: &[String], at: usize| row.get(at).cloned().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|at| self.rows.iter().chain([&self.header]).map(|row| width(&cell(row, at))).max().unwrap_or(0))
            .collect();
        let right: Vec<bool> = (0..columns)
            .map(|at| self.rows.iter().all(|row| reads_as_number(&cell(row, at))) && !self.rows.is_empty())
            .collect();
        let line = |row: &[String]| -> String {
            let cells: Vec<String> = widths
                .iter()
                .zip(&right)
                .enumerate()
                .map(|(at, (&wide, &right))| {
                    let text = cell(row, at);
                    let fill = " ".repeat(wide.saturating_sub(width(&text)));
                    if right { format!("{fill}{text}") } else { format!("{text}{fill}") }
                })
                .collect();
            cells.join("  ").trim_end().to_string()
        };
        let mut lines: Vec<String> = Vec::new();
        if !self.title.is_empty() {
            lines.push(self.title.clone());
        }
        if self.header.iter().any(|h| !h.is_empty()) {
            lines.push(line(&self.header));
            lines.push(widths.iter().map(|&w| "─".repeat(w)).collect::<Vec<_>>().join("  "));
        }
        lines.extend(self.rows.iter().map(|row| line(row)));
        f.write_str(&lines.join("\n"))
    }
}

fn reads_as_number(text: &str) -> bool {
    text.is_empty() || text == "–" || text.parse::<f64>().is_ok()
}

/// A value in a cell: numbers as [`number`] writes them, whole ones in full.
pub fn cell(value: &Dynamic) -> String {
    if value.is_unit() {
        return "–".into();
    }
    if let Ok(whole) = value.as_int() {
        return whole.to_string();
    }
    if let Some(tensor) = value.read_lock::<Tensor>()
        && tensor.len() == 1
        && let Ok(values) = tensor.to_vec()
    {
        return values.first().map_or_else(String::new, |&v| number(v));
    }
    // A line break inside a cell would break the table.
    number_of(value).map_or_else(|| compact(value).replace(['\n', '\r'], " "), number)
}

/// A table that a script fills row by row; copies are the same table.
#[derive(Debug, Clone)]
pub struct SharedTable(Rc<RefCell<Table>>);

impl SharedTable {
    /// The most rows: a table is for reading, data belong in a tensor.
    pub const MOST_ROWS: usize = 100_000;

    /// A table without rows.
    pub fn new(header: Vec<String>) -> Self {
        Self(Rc::new(RefCell::new(Table::new("", header))))
    }
    /// Adds a row of cells; `false` when the table is full or the row has another length than the header.
    pub fn push(&self, row: Vec<String>) -> bool {
        let mut table = self.0.borrow_mut();
        let fits = row.len() == table.header.len() && table.rows.len() < Self::MOST_ROWS;
        if fits {
            table.rows.push(row);
        }
        fits
    }
    /// Names of the columns.
    pub fn header(&self) -> Vec<String> {
        self.0.borrow().header.clone()
    }
    /// The rows as they are now.
    pub fn rows(&self) -> Vec<Vec<String>> {
        self.0.borrow().rows.clone()
    }
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.0.borrow().rows.len()
    }
    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for SharedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.borrow().fmt(f)
    }
}

/// Tables for a map of results: plain values as a list, maps of plain values as rows of one table, deeper ones below.
pub fn tables_of(map: &Map) -> Vec<Table> {
    let mut tables = Vec::new();
    collect("", map, 0, &mut tables);
    tables
}

/// Deeper maps than this are shown on one line.
const DEEPEST: usize = 6;

fn collect(title: &str, map: &Map, depth: usize, tables: &mut Vec<Table>) {
    let mut list = Table::new(title, Vec::new());
    let mut rows: Vec<(String, Map)> = Vec::new();
    let mut deeper: Vec<(String, Map)> = Vec::new();
    for (key, value) in map {
        match value.read_lock::<Map>() {
            Some(inner) if depth < DEEPEST && inner.values().any(|v| v.is_map()) => {
                deeper.push((key.to_string(), inner.clone()))
            }
            Some(inner) => rows.push((key.to_string(), inner.clone())),
            None => list.rows.push(vec![key.to_string(), cell(value)]),
        }
    }
    if !list.rows.is_empty() {
        tables.push(list);
    }
    if !rows.is_empty() {
        tables.push(matrix(title, &rows));
    }
    for (key, inner) in deeper {
        let title = if title.is_empty() { key } else { format!("{title} / {key}") };
        collect(&title, &inner, depth + 1, tables);
    }
}

/// Maps as rows under the union of their keys.
fn matrix(title: &str, rows: &[(String, Map)]) -> Table {
    let mut header = vec![String::new()];
    for (_, map) in rows {
        for key in map.keys() {
            if !header.iter().skip(1).any(|h| h == key.as_str()) {
                header.push(key.to_string());
            }
        }
    }
    let mut table = Table::new(title, header.clone());
    for (name, map) in rows {
        let cells = header.iter().skip(1).map(|key| map.get(key.as_str()).map_or("–".into(), cell));
        table.rows.push([name.clone()].into_iter().chain(cells).collect());
    }
    table
}
