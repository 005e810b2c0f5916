//! Eigenvectors of the second difference on a line, one family for each pair of ends.
//!
//! The stencil `(−u₋ + 2u − u₊)/h²`, closed at its ends by odd or even continuation, has sines or cosines as eigenvectors, with
//! the eigenvalues `(2 − 2 cos θ)/h²`. Which sines or cosines depends on what holds at the ends and on where the points lie;
//! each family is one of the discrete cosine and sine transforms. A periodic line takes the Hartley transform, whose
//! `cos + sin` keeps real numbers real.
//!
//! Source: G. Strang, *The discrete cosine transform*, SIAM Review 41 (1999).

use std::f64::consts::PI;

/// The family of eigenvectors, for `n` unknowns `i = 0 … n − 1` and modes `k = 0 … n − 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::solve::elliptic) enum Basis {
    /// `cas(2πki/n)`
    Periodic,
    /// Neumann | Neumann at centres: `cos(πk(i + ½)/n)`.
    Cosine2,
    /// Dirichlet | Dirichlet at centres: `sin(π(k + 1)(i + ½)/n)`.
    Sine2,
    /// Neumann | Dirichlet at centres: `cos(π(k + ½)(i + ½)/n)`.
    Cosine4,
    /// Dirichlet | Neumann at centres: `sin(π(k + ½)(i + ½)/n)`.
    Sine4,
    /// Neumann | Neumann at nodes: `cos(πki/(n − 1))`.
    Cosine1,
    /// Dirichlet | Dirichlet at the inner nodes: `sin(π(k + 1)(i + 1)/(n + 1))`.
    Sine1,
    /// Neumann | Dirichlet at the nodes but the last: `cos(π(k + ½)i/n)`.
    Cosine3,
    /// Dirichlet | Neumann at the nodes but the first: `sin(π(k + ½)(i + 1)/n)`.
    Sine3,
}

impl Basis {
    /// `2 − 2 cos θ` of each mode.
    pub fn eigenvalues(self, n: usize) -> Vec<f64> {
        let points = n as f64;
        (0..n)
            .map(|k| {
                let k = k as f64;
                let theta = match self {
                    Self::Periodic => 2.0 * PI * k / points,
                    Self::Cosine2 => PI * k / points,
                    Self::Sine2 => PI * (k + 1.0) / points,
                    Self::Cosine4 | Self::Sine4 | Self::Cosine3 | Self::Sine3 => PI * (k + 0.5) / points,
                    Self::Cosine1 => PI * k / (points - 1.0).max(1.0),
                    Self::Sine1 => PI * (k + 1.0) / (points + 1.0),
                };
                // 2 − 2 cos θ without the loss of digits at small angles
                4.0 * (0.5 * theta).sin().powi(2)
            })
            .collect()
    }
    /// The factor that makes synthesis after analysis the identity.
    pub fn factor(self, n: usize) -> f64 {
        let n = n as f64;
        match self {
            Self::Periodic => 1.0 / n,
            Self::Cosine1 => 2.0 / (n - 1.0).max(1.0),
            Self::Sine1 => 2.0 / (n + 1.0),
            _ => 2.0 / n,
        }
    }
    /// Whether the constant is an eigenvector, to the eigenvalue 0.
    pub fn has_constant(self) -> bool {
        matches!(self, Self::Periodic | Self::Cosine2 | Self::Cosine1)
    }
    /// How much the points count in the inner product in which the stencil is symmetric, where they do not count alike: nodes on
    /// an edge that is reflected count half.
    pub fn halves(self) -> [bool; 2] {
        match self {
            Self::Cosine1 => [true, true],
            Self::Cosine3 => [true, false],
            Self::Sine3 => [false, true],
            _ => [false, false],
        }
    }
}
