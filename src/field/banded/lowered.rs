//! Banded maps in tensor operations, for devices without the kernels of the CPU: the regular rows as a sum of shifted views, the rows
//! at either end as one small product. Devices of CubeCL take all of it in one kernel instead (`cube.rs`).

use super::{Banded, Row};
use crate::error::Result;
use crate::session::interrupt;
use crate::tensor::{Precision, Tensor};

/// Numbers of an end's matrix above which the whole map goes through the host instead.
const MOST: usize = 1 << 22;

/// A matrix as a constant of the device; its name holds all its numbers.
fn constant(x: &Tensor, values: Vec<f64>, shape: &[usize]) -> Result<Tensor> {
    use std::fmt::Write;
    let (context, precision) = (x.context(), x.precision());
    let mut name = format!("banded {} {shape:?}", precision.name());
    for v in &values {
        let _ = write!(name, " {:x}", v.to_bits());
    }
    context.constant(name, || match precision {
        Precision::F32 => Tensor::from_vec(context, values.iter().map(|v| *v as f32).collect(), shape),
        Precision::F64 => Tensor::from_vec(context, values, shape),
    })
}

/// The columns that rows refer to, as runs of neighbours.
fn runs(rows: &[Row]) -> Vec<(usize, usize)> {
    let mut columns: Vec<usize> = rows.iter().flatten().map(|(c, _)| *c).collect();
    columns.sort_unstable();
    columns.dedup();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for column in columns {
        match runs.last_mut() {
            Some((start, len)) if *start + *len == column => *len += 1,
            _ => runs.push((column, 1)),
        }
    }
    runs
}

/// A few rows: the columns they need, times a small matrix.
fn end(rows: &[Row], x: &Tensor, axis: usize) -> Result<Tensor> {
    let runs = runs(rows);
    let parts = runs.iter().map(|&(start, len)| x.narrow(axis, start, len)).collect::<Result<Vec<_>>>()?;
    if parts.is_empty() {
        let mut shape = x.shape();
        shape[axis] = rows.len();
        return Tensor::full_in(x.context(), x.precision(), &shape, 0.0);
    }
    let count: usize = runs.iter().map(|(_, len)| len).sum();
    let place = |column: usize| {
        let mut before = 0;
        for &(start, len) in &runs {
            if (start..start + len).contains(&column) {
                return before + column - start;
            }
            before += len;
        }
        before
    };
    // The transpose, which stands on the right of the columns when their axis is the last.
    let mut matrix = vec![0.0; count * rows.len()];
    for (i, row) in rows.iter().enumerate() {
        for &(column, weight) in row {
            matrix[place(column) * rows.len() + i] = weight;
        }
    }
    let matrix = constant(x, matrix, &[count, rows.len()])?;
    let columns = Tensor::concat(&parts, axis)?.swap(axis as i64, -1)?;
    let product = if columns.rank() == 1 {
        columns.unsqueeze(0)?.matmul(&matrix)?.squeeze(0)?
    } else {
        columns.matmul(&matrix)?
    };
    product.swap(axis as i64, -1)
}

/// Whether [`apply`] is for this map: the matrices of its ends are small enough.
pub(super) fn fits(map: &Banded) -> bool {
    let size = |rows: &[Row]| rows.len().saturating_mul(runs(rows).iter().map(|r| r.1).sum());
    size(&map.0.first) <= MOST && size(&map.0.last) <= MOST
}

/// The map along an axis, outside of any gradient.
pub(super) fn apply(map: &Banded, x: &Tensor, axis: usize) -> Result<Tensor> {
    interrupt::poll()?;
    let (parts, x) = (&*map.0, x.detach());
    #[cfg(feature = "cubecl")]
    if super::cube::fits(map, &x, axis) {
        return super::cube::apply(map, &x, axis);
    }
    let regular = parts.rows - parts.first.len() - parts.last.len();
    let mut blocks = Vec::new();
    if !parts.first.is_empty() {
        blocks.push(end(&parts.first, &x, axis)?);
    }
    if regular > 0 {
        let mut sum: Option<Tensor> = None;
        for &(shift, weight) in &parts.taps {
            let start = (parts.first.len() as i64 + shift) as usize;
            let term = x.narrow(axis, start, regular)?.scale(weight)?;
            sum = Some(match sum {
                Some(sum) => sum.add(&term)?,
                None => term,
            });
        }
        blocks.push(match sum {
            Some(sum) => sum,
            None => {
                let mut shape = x.shape();
                shape[axis] = regular;
                Tensor::full_in(x.context(), x.precision(), &shape, 0.0)?
            }
        });
    }
    if !parts.last.is_empty() {
        blocks.push(end(&parts.last, &x, axis)?);
    }
    Tensor::concat(&blocks, axis)
}

/// Weights of each row of an axis times values that have length 1 along it.
pub(super) fn side(weights: &[f64], value: &Tensor, axis: usize) -> Result<Tensor> {
    let mut shape = vec![1; value.rank()];
    shape[axis] = weights.len();
    constant(value, weights.to_vec(), &shape)?.mul(&value.detach())
}

#[cfg(test)]
mod tests {
    use crate::field::banded::Banded;
    use crate::tensor::random::{Key, normal};
    use crate::tensor::{Context, Device, Precision, Tensor};

    #[test]
    fn maps_agree_with_the_loops_of_the_cpu() {
        let (cpu, low) = (Context::cpu(Precision::F64), Context::on(Device::LOWERED, Precision::F64));
        let ring = Banded::ring(9, &[(-1, 0.5), (0, -2.0), (2, 0.25)]).unwrap();
        let sliding = Banded::sliding(9, &[1.0, -3.0, 0.5]).unwrap();
        let odd = Banded::from_rows(9, vec![vec![(8, 1.0)], vec![], vec![(0, 2.0), (4, -1.0)]]).unwrap();
        for (name, map) in [("ring", ring), ("sliding", sliding), ("transpose", odd.transpose()), ("rows", odd)] {
            let n = map.columns();
            for (shape, axis) in [(vec![n], 0), (vec![2, n, 3], 1), (vec![n, 4], 0), (vec![2, 1, 5, n], -1)] {
                let x = normal(&cpu, Key::new(1), &shape).unwrap();
                let there = Tensor::new(&low, x.to_vec().unwrap(), &shape).unwrap();
                let (a, b) = (map.apply(&x, axis).unwrap(), map.apply(&there, axis).unwrap());
                assert_eq!(a.shape(), b.shape(), "{name} {shape:?}");
                let (a, b) = (a.to_vec().unwrap(), b.to_vec().unwrap());
                let error = a.iter().zip(b).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
                assert!(error < 1e-14, "{name} {shape:?}: {error:e}");
            }
        }
        assert_eq!(low.counts().places()[0].iter().filter(|(at, _)| at.contains("banded/kernel")).count(), 0);
    }
}
