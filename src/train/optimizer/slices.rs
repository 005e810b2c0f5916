//! One pass over the numbers of a parameter, its gradient and its moments.
//!
//! A chain of tensor operations per parameter would cost several allocations and dispatches each; networks have many
//! small parameters, so a plain loop over slices wins. On an accelerator it is tensor operations: see `lowered.rs`.

use crate::error::{Error, Result};
use crate::tensor::{Real, Tensor};

/// Makes a parameter and `N` moments from the old ones: `rule(p, g, moments)` changes them element by element. What it
/// is given are copies, so a failure half-way changes nothing.
pub(crate) fn fused<T: Real, const N: usize>(
    parameter: &Tensor,
    gradient: &Tensor,
    moments: [&Tensor; N],
    rule: impl Fn(&mut [T], &[T], [&mut [T]; N]),
) -> Result<(Tensor, [Tensor; N])> {
    let context = parameter.context();
    let shape = parameter.shape();
    let mut p = parameter.read::<T>()?;
    let mut copies: Vec<Vec<T>> = moments.iter().map(|m| m.read::<T>()).collect::<Result<_>>()?;
    let same = |n: usize| n == p.len();
    if !same(gradient.len()) || !copies.iter().all(|m| same(m.len())) {
        return Err(Error::internal("an optimiser's moments do not have the shape of their parameter"));
    }
    {
        let mut slices = copies.iter_mut().map(Vec::as_mut_slice);
        // As many slices as moments were given.
        let array: [&mut [T]; N] = std::array::from_fn(|_| slices.next().unwrap_or_default());
        gradient.with_numbers::<T, _>(|g| rule(&mut p, g, array))?;
    }
    let updated = Tensor::from_vec(context, p, &shape)?;
    let mut made =
        copies.into_iter().map(|m| Tensor::from_vec(context, m, &shape)).collect::<Result<Vec<_>>>()?.into_iter();
    let mut array: [Tensor; N] = std::array::from_fn(|_| updated.clone());
    for slot in &mut array {
        if let Some(moment) = made.next() {
            *slot = moment;
        }
    }
    Ok((updated, array))
}
