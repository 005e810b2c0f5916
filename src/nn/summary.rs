//! What a network is made of, as a table.

use super::module::Module;
use super::net::Net;
use super::parameters::Parameters;
use crate::tensor::human_bytes;

/// One layer of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it is: `"encoder.0.conv"`; empty for the network itself.
    pub path: String,
    /// What it is.
    pub layer: String,
    /// Names and shapes of its own parameters.
    pub shapes: String,
    /// How many numbers it has itself.
    pub count: usize,
}

/// The layers of a network with the sizes of their parameters.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its layers, parents before children.
    pub rows: Vec<Row>,
    /// Numbers in all.
    pub count: usize,
    /// Their bytes.
    pub bytes: usize,
}

impl Net {
    /// The layers with their parameters, counts and bytes.
    pub fn summary(&self) -> Summary {
        let parameters = self.parameters();
        let mut rows = Vec::new();
        collect(self.module(), "", &parameters, &mut rows);
        Summary { rows, count: parameters.count(), bytes: parameters.bytes() }
    }
}

fn collect(module: &dyn Module, path: &str, parameters: &Parameters, rows: &mut Vec<Row>) {
    let own = |name: &str| -> Option<String> {
        let rest = if path.is_empty() { name } else { name.strip_prefix(path)?.strip_prefix('.')? };
        (!rest.contains('.')).then(|| rest.to_string())
    };
    let mine: Vec<_> = parameters.iter().filter_map(|(name, value)| Some((own(name)?, value))).collect();
    let shapes: Vec<String> = mine.iter().map(|(name, value)| format!("{name} {:?}", value.shape())).collect();
    rows.push(Row {
        path: path.to_string(),
        layer: module.describe(),
        shapes: shapes.join(", "),
        count: mine.iter().map(|(_, value)| value.len()).sum(),
    });
    for (name, child) in module.children() {
        collect(&*child, &super::module::join(path, &name), parameters, rows);
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let header = ["path", "layer", "parameters", "count"].map(str::to_string);
        let cells = self.rows.iter().map(|r| {
            let path = if r.path.is_empty() { "·".to_string() } else { r.path.clone() };
            [path, r.layer.clone(), r.shapes.clone(), if r.count == 0 { String::new() } else { grouped(r.count) }]
        });
        let table: Vec<[String; 4]> = std::iter::once(header).chain(cells).collect();
        let width =
            |column: usize| table.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        for [path, layer, shapes, count] in &table {
            let [a, b, c, d] = widths;
            writeln!(f, "{path:<a$}  {layer:<b$}  {shapes:<c$}  {count:>d$}")?;
        }
        write!(f, "{} parameters, {}", grouped(self.count), human_bytes(self.bytes))
    }
}

/// `330754` as `330,754`.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
