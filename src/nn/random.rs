//! Stand-in until the generators of `tensor::random` are merged.
use crate::error::Result;
use crate::tensor::{Context, Tensor};

#[derive(Debug, Clone, Copy)]
pub struct Key(u64);
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
impl Key {
    pub fn new(seed: u64) -> Self {
        Self(mix(seed))
    }
    pub fn purpose(self, p: &str) -> Self {
        Self(p.bytes().fold(mix(self.0 ^ 1), |h, b| mix(h ^ b as u64)))
    }
    pub fn sample(self, n: u64) -> Self {
        Self(mix(mix(self.0 ^ 2) ^ n))
    }
    pub fn step(self, n: u64) -> Self {
        Self(mix(mix(self.0 ^ 3) ^ n))
    }
}
fn unit(key: Key, i: usize) -> f64 {
    ((mix(key.0 ^ mix(i as u64)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}
pub fn uniform(c: &Context, key: Key, low: f64, high: f64, shape: &[usize]) -> Result<Tensor> {
    let n = crate::tensor::element_count(shape)?;
    Tensor::new(c, (0..n).map(|i| low + (high - low) * unit(key, i)).collect(), shape)
}
pub fn normal(c: &Context, key: Key, shape: &[usize]) -> Result<Tensor> {
    let n = crate::tensor::element_count(shape)?;
    let v = (0..n)
        .map(|i| (-2.0 * unit(key, 2 * i).ln()).sqrt() * (std::f64::consts::TAU * unit(key, 2 * i + 1)).cos())
        .collect();
    Tensor::new(c, v, shape)
}
pub fn permutation(key: Key, n: usize) -> Vec<usize> {
    let mut p: Vec<usize> = (0..n).collect();
    p.sort_by_key(|&i| mix(key.0 ^ mix(i as u64)));
    p
}
