//! Optimisers and training loops.
