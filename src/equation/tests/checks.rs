//! Observed orders, conservation and residuals.
