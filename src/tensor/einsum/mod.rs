//! Sums of products by index names: `einsum("ij,jk->ik", [a, b])`.

mod spec;

use self::spec::{Label, Spec};
use super::arrange::Span;
use super::base::Tensor;
use super::shape::{Shape, element_count};
use crate::error::{Error, Result};

/// The sum over all indices that the output does not name.
///
/// One letter names each axis. An index that stands twice in an operand takes its diagonal; `...` stands for the axes
/// that are not named, which broadcast; without `->`, the output has the indices that stand once, in alphabetical order
/// (after those of `...`). Operands are joined two at a time, the pair with the smallest result first, each pair by
/// one matrix product.
pub fn einsum(spec: &str, operands: &[Tensor]) -> Result<Tensor> {
    let shapes: Vec<Shape> = operands.iter().map(Tensor::shape).collect();
    let spec = Spec::parse(spec, &shapes)?;
    let mut factors: Vec<Factor> = Vec::with_capacity(operands.len());
    for (tensor, labels) in operands.iter().zip(&spec.operands) {
        factors.push(Factor { tensor: tensor.clone(), labels: labels.clone() }.diagonal()?.without_stretched(&spec)?);
    }
    while factors.len() > 1 {
        let (i, j) = cheapest(&factors, &spec.output);
        // The later one first: taking it does not move the earlier one.
        let b = factors.remove(j);
        let a = factors.remove(i);
        let kept = |label: &Label| spec.output.contains(label) || factors.iter().any(|f| f.labels.contains(label));
        let product = a.join(b, kept)?;
        factors.push(product);
    }
    let Some(last) = factors.pop() else {
        return Err(Error::value("einsum: nothing to sum").expected("at least one tensor"));
    };
    let mut last = last.summed(|label| spec.output.contains(label))?;
    // An index whose axes all had length 1 was dropped with them.
    for label in &spec.output {
        if !last.labels.contains(label) {
            last.tensor = last.tensor.unsqueeze(0)?;
            last.labels.insert(0, *label);
        }
    }
    last.arranged(&spec.output).map(|f| f.tensor)
}

/// The pair whose product is smallest.
fn cheapest(factors: &[Factor], output: &[Label]) -> (usize, usize) {
    let mut best = (0, 1);
    let mut least = f64::INFINITY;
    for i in 0..factors.len() {
        for j in i + 1..factors.len() {
            let kept = |label: &Label| {
                let rest = factors.iter().enumerate().filter(|(n, _)| *n != i && *n != j);
                output.contains(label) || rest.into_iter().any(|(_, f)| f.labels.contains(label))
            };
            let (a, b) = (&factors[i], &factors[j]);
            let (shape_a, shape_b) = (a.tensor.shape(), b.tensor.shape());
            let own = b.labels.iter().zip(&shape_b).filter(|(l, _)| !a.labels.contains(l));
            let size: f64 =
                a.labels.iter().zip(&shape_a).chain(own).filter(|(l, _)| kept(l)).map(|(_, &n)| n as f64).product();
            if size < least {
                (best, least) = ((i, j), size);
            }
        }
    }
    best
}

/// A tensor with a name for each axis.
struct Factor {
    tensor: Tensor,
    labels: Vec<Label>,
}

impl Factor {
    /// Axes in the given order, which names each label once.
    fn arranged(self, order: &[Label]) -> Result<Self> {
        let axes: Vec<usize> = order.iter().filter_map(|l| self.labels.iter().position(|own| own == l)).collect();
        Ok(Self { tensor: self.tensor.permute(&axes)?, labels: order.to_vec() })
    }
    /// Where a label stands twice, the elements where both positions are equal.
    fn diagonal(mut self) -> Result<Self> {
        while let Some((first, second)) = repeated(&self.labels) {
            let n = self.tensor.shape()[first];
            let mut order: Vec<usize> = (0..self.labels.len()).filter(|&a| a != first && a != second).collect();
            let mut labels: Vec<Label> = order.iter().map(|&a| self.labels[a]).collect();
            labels.push(self.labels[first]);
            order.extend([first, second]);
            let tensor = self.tensor.permute(&order)?;
            // In row-major order the diagonal of a square is every (n + 1)-th element.
            let mut shape = tensor.shape();
            shape.truncate(labels.len() - 1);
            let mut spans: Vec<Span> = shape.iter().map(|&n| Span::all(n)).collect();
            shape.push(n * n);
            spans.push(Span { start: 0, end: n * n, step: n + 1 });
            self = Self { tensor: tensor.reshape(&shape)?.slice(&spans)?, labels };
        }
        Ok(self)
    }
    /// Axes of length 1 that broadcast are dropped.
    fn without_stretched(mut self, spec: &Spec) -> Result<Self> {
        for axis in (0..self.labels.len()).rev() {
            if self.tensor.shape()[axis] == 1 && spec.len(&self.labels[axis]) != 1 {
                self.tensor = self.tensor.squeeze(axis)?;
                self.labels.remove(axis);
            }
        }
        Ok(self)
    }
    /// Sums over the labels that are not kept.
    fn summed(self, kept: impl Fn(&Label) -> bool) -> Result<Self> {
        let axes: Vec<i64> = (0..self.labels.len()).filter(|&a| !kept(&self.labels[a])).map(|a| a as i64).collect();
        if axes.is_empty() {
            return Ok(self);
        }
        let labels = self.labels.iter().copied().filter(|l| kept(l)).collect();
        Ok(Self { tensor: self.tensor.sum(&axes, false)?, labels })
    }

    /// The product, summed over common labels that are not kept.
    fn join(self, other: Self, kept: impl Fn(&Label) -> bool) -> Result<Self> {
        let a = {
            let b = &other.labels;
            self.summed(|l| kept(l) || b.contains(l))?
        };
        let b = other.summed(|l| kept(l) || a.labels.contains(l))?;
        let common = |keep: bool| {
            a.labels.iter().copied().filter(|l| b.labels.contains(l) && kept(l) == keep).collect::<Vec<_>>()
        };
        let (batch, inner) = (common(true), common(false));
        let own = |x: &Self, y: &Self| x.labels.iter().copied().filter(|l| !y.labels.contains(l)).collect::<Vec<_>>();
        let (left, right) = (own(&a, &b), own(&b, &a));
        let a = a.arranged(&[&batch[..], &left, &inner].concat())?;
        let b = b.arranged(&[&batch[..], &inner, &right].concat())?;
        let (shape_a, shape_b) = (a.tensor.shape(), b.tensor.shape());
        let (nb, nl) = (batch.len(), left.len());
        let lens = (&shape_a[..nb], &shape_a[nb..nb + nl], &shape_a[nb + nl..], &shape_b[nb + inner.len()..]);
        let [batches, m, k, n] =
            [element_count(lens.0)?, element_count(lens.1)?, element_count(lens.2)?, element_count(lens.3)?];
        let (x, y) = (a.tensor.reshape(&[batches, m, k])?, b.tensor.reshape(&[batches, k, n])?);
        let product = if inner.is_empty() { x.mul(&y)? } else { x.matmul(&y)? };
        let tensor = product.reshape(&[lens.0, lens.1, lens.3].concat())?;
        Ok(Self { tensor, labels: [batch, left, right].concat() })
    }
}

fn repeated(labels: &[Label]) -> Option<(usize, usize)> {
    labels
        .iter()
        .enumerate()
        .find_map(|(i, l)| labels[i + 1..].iter().position(|other| other == l).map(|j| (i, i + 1 + j)))
}

#[cfg(test)]
mod tests;
