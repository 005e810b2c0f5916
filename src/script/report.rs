//! What a script reports: results, tables, metrics, notes.

use rhai::{Array, Dynamic, Map};
use serde_json::Value;

use super::call::Call;
use super::engine::nothing;
use super::registry::{Entry, entry};
use super::table::{SharedTable, cell, tables_of};
use super::value::{array_of, compact, number_of};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

pub(super) fn entries() -> Vec<Entry> {
    vec![
        entry("report(results)")
            .brief("Prints results as a table and writes them to results.json in the run folder.")
            .text("Maps of maps become rows and columns. Tensors of one element are written as numbers, others as nested arrays; what is not \
                   finite as null, and a note says where. A second report adds its keys to those of the first.")
            .example("report(#{ error: 1.5e-3, methods: #{ euler: #{ order: 1 }, rk4: #{ order: 4 } } })", "")
            .run(report),
        entry("metric(values)")
            .brief("Appends one line to metrics.jsonl in the run folder.")
            .text("Nothing is added to what is given: put the step or the time among the values.")
            .example("metric(#{ step: 1, loss: 0.5 })", "")
            .run(|c| {
                let map = c.map(0)?;
                let mut lost = Vec::new();
                let value = json_of_map(&map, "", &mut lost, 0)?;
                c.session.run().metric(&value)?;
                nothing()
            }),
        entry("note(text)")
            .brief("Shows a line that is not a result, on standard error; --quiet leaves it out.")
            .example("note(\"training starts\")", "")
            .run(|c| {
                c.session.sink().note(&compact(&c.value(0)?));
                nothing()
            }),
        entry("table(header)")
            .brief("A table to be filled row by row and printed.")
            .text("Columns are aligned when it is printed; numbers have five significant digits.")
            .example("let t = table([\"n\", \"error\"]); t.add([32, 1.5e-3]); t.add([64, 3.8e-4]); len(t)", "2")
            .run(|c| {
                let header: Vec<String> = c.array(0)?.iter().map(cell).collect();
                if header.is_empty() {
                    return Err(c.wrong(0, "an array with the names of the columns"));
                }
                Ok(Dynamic::from(SharedTable::new(header)))
            }),
        entry("add(table, row)")
            .brief("Adds a row to a table: an array of cells, or a map with the columns as keys.")
            .example("let t = table([\"n\", \"error\"]); t.add(#{ n: 32, error: 0.1 }).len()", "1")
            .run(add),
    ]
}

fn report(c: &mut Call) -> Result<Dynamic> {
    let map = c.map(0)?;
    let mut lost = Vec::new();
    let Value::Object(values) = json_of_map(&map, "", &mut lost, 0)? else { return nothing() };
    for table in tables_of(&map) {
        c.session.sink().table(&table.to_string(), &table.header, &table.rows);
    }
    if !lost.is_empty() {
        c.session.sink().note(&format!("not finite, null in results.json: {}", lost.join(", ")));
    }
    c.session.run().results(values)?;
    nothing()
}

fn add(c: &mut Call) -> Result<Dynamic> {
    let table = c.object::<SharedTable>(0, "a table, made by table([…])")?;
    let (value, header) = (c.value(1)?, table.header());
    let row: Vec<String> = if let Some(map) = value.read_lock::<Map>() {
        if let Some(key) = map.keys().find(|key| !header.iter().any(|h| h == key.as_str())) {
            return Err(Error::value(format!("add: the table has no column `{key}`")).expected(header.join(", ")));
        }
        header.iter().map(|key| map.get(key.as_str()).map_or("–".into(), cell)).collect()
    } else if let Some(array) = value.read_lock::<Array>() {
        array.iter().map(cell).collect()
    } else {
        return Err(c.wrong(1, "an array of cells, or a map with the columns as keys"));
    };
    let got = row.len();
    if !table.push(row) {
        return Err(if got == header.len() {
            Error::limit("add: the table is full").expected(format!("at most {} rows", SharedTable::MOST_ROWS))
        } else {
            Error::shape("add: the row does not fit the header")
                .got(format!("{got} cells"))
                .expected(format!("{} cells", header.len()))
        });
    }
    Ok(Dynamic::from(table))
}

/// Larger tensors do not belong in a text file.
const MOST_NUMBERS: usize = 1_000_000;
/// Deeper data come from a mistake, and would be walked by recursion.
const DEEPEST: usize = 100;

/// A map as JSON. Where a number is not finite, its place is added to `lost`.
fn json_of_map(map: &Map, place: &str, lost: &mut Vec<String>, depth: usize) -> Result<Value> {
    let mut out = serde_json::Map::new();
    for (key, value) in map {
        let place = if place.is_empty() { key.to_string() } else { format!("{place}.{key}") };
        out.insert(key.to_string(), json_of(value, &place, lost, depth + 1)?);
    }
    Ok(Value::Object(out))
}

fn json_of(value: &Dynamic, place: &str, lost: &mut Vec<String>, depth: usize) -> Result<Value> {
    if depth > DEEPEST {
        return Err(Error::limit(format!("{place} is nested too deeply")).expected(format!("at most {DEEPEST} levels")));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(truth.into());
    }
    if let Ok(whole) = value.as_int() {
        return Ok(whole.into());
    }
    if let Some(number) = number_of(value) {
        return Ok(json_of_number(number, place, lost));
    }
    if let Some(map) = value.read_lock::<Map>() {
        return json_of_map(&map, place, lost, depth);
    }
    if let Some(array) = value.read_lock::<Array>() {
        let at = |(i, v): (usize, &Dynamic)| json_of(v, &format!("{place}[{i}]"), lost, depth + 1);
        return array.iter().enumerate().map(at).collect::<Result<Vec<_>>>().map(Value::Array);
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return json_of_tensor(&tensor, place, lost);
    }
    Ok(compact(value).into())
}

fn json_of_number(number: f64, place: &str, lost: &mut Vec<String>) -> Value {
    // A hundred places say enough.
    if !number.is_finite() && lost.len() < 100 {
        lost.push(place.to_string());
    }
    serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
}

fn json_of_tensor(tensor: &Tensor, place: &str, lost: &mut Vec<String>) -> Result<Value> {
    if tensor.len() > MOST_NUMBERS {
        return Err(Error::limit(format!("{place} is too large for a text file"))
            .got(format!("a Tensor {:?}", tensor.shape()))
            .expected(format!("at most {MOST_NUMBERS} numbers"))
            .advice("reduce it first, or save it as a file of its own"));
    }
    if tensor.len() == 1 {
        return Ok(json_of_number(tensor.item()?, place, lost));
    }
    json_of(&array_of(tensor)?, place, lost, 1)
}
