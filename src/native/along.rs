//! Maps along axes in graphs: how they are made, scaled, added up and transposed.

use super::graph::{Form, Graph, Id, Map, Node, POINTS, UNIFORM};
use super::points::MOST_PARTS;
use crate::field::Banded;
use crate::tensor::Binary;

impl Graph {
    /// A graph of values at points with these lengths of axes.
    pub fn on(shape: [usize; 3]) -> Self {
        let mut graph = Self::default();
        graph.set_shapes(vec![[1; 3], shape]);
        graph
    }
    /// Lengths of the axes of a form.
    pub fn shape(&self, form: Form) -> [usize; 3] {
        self.shapes().get(form).copied().unwrap_or([1; 3])
    }
    /// Numbers of a value of a form.
    pub fn count(&self, form: Form) -> usize {
        self.shape(form).iter().product()
    }
    /// The form with these lengths of axes.
    pub fn form_of(&mut self, shape: [usize; 3]) -> Form {
        let known = self.shapes().iter().skip(POINTS).position(|own| *own == shape);
        known.map_or_else(|| self.add_shape(shape), |place| place + POINTS)
    }
    /// A map along an axis of values of form `from`; of what is the same everywhere where the matrix has one column.
    pub fn map(&mut self, axis: usize, matrix: Banded, from: Form) -> usize {
        let mut shape = self.shape(from);
        shape[axis] = matrix.rows();
        let to = self.form_of(shape);
        self.map_to(Map { axis, matrix, to })
    }
    /// The sum of maps of values, `None` where there is nothing to be added up.
    pub fn along(&mut self, parts: Vec<(usize, Id)>) -> Id {
        let parts: Vec<(usize, Id)> = parts.into_iter().filter(|(_, a)| self.as_number(*a) != Some(0.0)).collect();
        if parts.is_empty() { self.number(0.0) } else { self.node(Node::Along(parts)) }
    }
    /// A value that is the same everywhere, written out on a form.
    pub fn spread(&mut self, a: Id, form: Form) -> Id {
        if self.form(a) != UNIFORM {
            return a;
        }
        let ones = self.map_to(Map { axis: 0, matrix: column(self.shape(form)[0], |_| 1.0), to: form });
        self.along(vec![(ones, a)])
    }
    /// The transpose of a map of values of form `from`.
    pub fn transposed(&mut self, map: usize, from: Form) -> usize {
        let Map { axis, matrix, to } = self.maps()[map].clone();
        // A value that is the same everywhere gets one number from each line, which are then added up.
        let mut shape = self.shape(if from == UNIFORM { to } else { from });
        shape[axis] = matrix.columns();
        let to = self.form_of(shape);
        self.map_to(Map { axis, matrix: matrix.transpose(), to })
    }
    /// `out[i] = x[i + shift]` of a value that is computed from others point by point, as a value of form `to` that is computed from shifted
    /// ones: nothing is written to memory in between. `rows` is the matrix of the shift, and at most `left` values are computed anew.
    ///
    /// `None` where that is more, or not possible.
    pub fn shifted(&mut self, id: Id, axis: usize, rows: &Banded, to: Form, left: &mut usize) -> Option<Id> {
        if self.is_uniform(id) {
            return Some(id);
        }
        *left = left.checked_sub(1)?;
        match self.nodes()[id].clone() {
            Node::Array(_) => {
                let map = self.map_to(Map { axis, matrix: rows.clone(), to });
                Some(self.along(vec![(map, id)]))
            }
            Node::Along(parts) => {
                let mut moved = Vec::with_capacity(parts.len());
                for (map, source) in parts {
                    let map = self.maps()[map].clone();
                    let matrix = if map.axis == axis { rows.compose(&map.matrix).ok()? } else { return None };
                    moved.push((self.map_to(Map { axis, matrix, to }), source));
                }
                Some(self.along(moved))
            }
            Node::Unary(f, a) => {
                let a = self.shifted(a, axis, rows, to, left)?;
                Some(self.unary(f.0, a))
            }
            Node::Binary(super::graph::Operation::Of(op), a, b) => {
                let a = self.shifted(a, axis, rows, to, left)?;
                let b = self.shifted(b, axis, rows, to, left)?;
                Some(self.binary(op, a, b))
            }
            _ => None,
        }
    }
    /// Whether a value is a sum of maps.
    pub(super) fn is_along(&self, id: Id) -> bool {
        matches!(self.nodes().get(id), Some(Node::Along(_)))
    }
    fn parts(&self, id: Id) -> Vec<(usize, Id)> {
        match self.nodes().get(id) {
            Some(Node::Along(parts)) => parts.clone(),
            _ => Vec::new(),
        }
    }
    /// A sum of maps times a number.
    pub(super) fn scaled(&mut self, id: Id, by: f64) -> Id {
        let mut parts = self.parts(id);
        for (map, _) in &mut parts {
            let Map { axis, matrix, to } = self.maps()[*map].clone();
            *map = self.map_to(Map { axis, matrix: matrix.scale(by), to });
        }
        self.along(parts)
    }
    /// The sum of two sums of maps; maps along one axis of one value are one map.
    pub(super) fn joined(&mut self, a: Id, b: Id) -> Id {
        let mut parts = self.parts(a);
        for (map, source) in self.parts(b) {
            let own = self.maps()[map].clone();
            let like = parts.iter_mut().find(|(other, from)| {
                let other = &self.maps()[*other];
                *from == source && other.axis == own.axis && other.matrix.columns() == own.matrix.columns()
            });
            let like = like.map(|part| (part.0, part));
            match like.and_then(|(other, part)| Some((self.maps()[other].matrix.add(&own.matrix).ok()?, part))) {
                Some((matrix, part)) => part.0 = self.map_to(Map { matrix, ..own }),
                None => parts.push((map, source)),
            }
        }
        if parts.len() <= MOST_PARTS {
            return self.along(parts);
        }
        let (a, b) = (a.min(b), a.max(b));
        self.node(Node::Binary(super::graph::Operation::Of(Binary::Add), a, b))
    }
}

/// A column of numbers.
pub fn column(rows: usize, at: impl Fn(usize) -> f64) -> Banded {
    let row = |i: usize| vec![(0, at(i))].into_iter().filter(|(_, w)| *w != 0.0).collect();
    Banded::from_rows(1, (0..rows).map(row).collect()).unwrap_or_else(|_| Banded::identity(rows))
}
