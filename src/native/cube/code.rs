//! A graph as instructions, of which each makes one value; a kernel is written from them when it is compiled.

use std::collections::HashMap;

use cubecl::prelude::*;

use super::functions::{below, binary, unary};
use crate::native::graph::{Function, Graph, Id, Node, Operation};
use crate::tensor::{Binary, Unary};

/// Instructions that are worth one kernel: beyond, compilers take long and registers do not suffice.
const LONGEST: usize = 512;

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instruction {
    /// One that each thread has.
    Input(usize),
    /// One of the table, the same for all threads and all steps.
    Number(usize),
    /// One of the row of the table that belongs to the step.
    Scalar(usize),
    /// A function of the value of an instruction.
    Unary(Unary, usize),
    /// An operation on two.
    Binary(Binary, usize, usize),
    /// As [`Operation::Below`].
    Below(usize, usize),
}

/// Instructions in order, and those whose values are the results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Code {
    pub instructions: Vec<Instruction>,
    pub results: Vec<usize>,
}

impl Code {
    /// What the results need, and the numbers in it. Arrays are inputs. `None` where it is too long, or more than functions and operations of numbers.
    pub fn of(graph: &Graph, results: &[Id]) -> Option<(Self, Vec<f64>)> {
        let mut needed = vec![false; graph.nodes().len()];
        results.iter().for_each(|id| needed[*id] = true);
        for id in (0..needed.len()).rev().filter(|id| needed[*id]).collect::<Vec<_>>() {
            mark(graph, id, &mut needed);
        }
        let (mut numbers, mut at) = (Vec::new(), HashMap::new());
        let mut code = Self::default();
        for (id, node) in graph.nodes().iter().enumerate().filter(|(id, _)| needed[*id]) {
            let of = |id: &Id| at.get(id).copied();
            code.instructions.push(match node {
                Node::Number(bits) => {
                    numbers.push(f64::from_bits(*bits));
                    Instruction::Number(numbers.len() - 1)
                }
                Node::Scalar(i) => Instruction::Scalar(*i),
                Node::Array(i) => Instruction::Input(*i),
                Node::Unary(Function(f), a) => Instruction::Unary(*f, of(a)?),
                Node::Binary(Operation::Of(op), a, b) => Instruction::Binary(*op, of(a)?, of(b)?),
                Node::Binary(Operation::Below, a, b) => Instruction::Below(of(a)?, of(b)?),
                Node::Inverse(_) | Node::Sum(_) | Node::Along(_) => return None,
            });
            at.insert(id, code.instructions.len() - 1);
        }
        code.results = results.iter().map(|id| at.get(id).copied()).collect::<Option<_>>()?;
        (code.instructions.len() <= LONGEST).then_some((code, numbers))
    }
}

/// Marks what a node is computed from, and what that is computed from.
fn mark(graph: &Graph, id: Id, needed: &mut [bool]) {
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        for argument in graph.arguments(id) {
            if !std::mem::replace(&mut needed[argument], true) {
                open.push(argument);
            }
        }
    }
}

/// The values of all instructions: numbers stand at the beginning of the table, scalars from `row` on.
#[cube]
pub fn evaluate(inputs: &Sequence<f32>, table: &[f32], row: usize, #[comptime] code: Code) -> Sequence<f32> {
    let mut values = Sequence::<f32>::new();
    #[unroll]
    for i in 0..comptime!(code.instructions.len()) {
        let value = match comptime!(code.instructions[i]) {
            Instruction::Input(k) => *inputs.index(k),
            Instruction::Number(k) => table[k],
            Instruction::Scalar(k) => table[row + k],
            Instruction::Unary(f, a) => unary(*values.index(a), f),
            Instruction::Binary(op, a, b) => binary(*values.index(a), *values.index(b), op),
            Instruction::Below(a, b) => below(*values.index(a), *values.index(b)),
        };
        values.push(value);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::graph::POINTS;

    #[test]
    fn code_holds_what_results_need_in_order() {
        let mut graph = Graph::on([4, 1, 1]);
        let ((_, x), (_, y), (_, t)) = (graph.fresh_array(POINTS), graph.fresh_array(POINTS), graph.fresh_scalar());
        let unused = graph.unary(Unary::Exp, y);
        let product = graph.binary(Binary::Mul, x, t);
        let three = graph.number(3.0);
        let sum = graph.binary(Binary::Add, product, three);
        let (code, numbers) = Code::of(&graph, &[sum, x]).expect("arithmetic");
        assert_eq!(numbers, [3.0]);
        assert_eq!(
            code.instructions,
            [
                Instruction::Input(0),
                Instruction::Scalar(0),
                Instruction::Binary(Binary::Mul, 0, 1),
                Instruction::Number(0),
                Instruction::Binary(Binary::Add, 2, 3),
            ]
        );
        assert_eq!(code.results, [4, 0]);
        assert!(Code::of(&graph, &[unused]).is_some_and(|(code, _)| code.instructions.len() == 2));
        let whole = graph.node(Node::Sum(product));
        assert_eq!(Code::of(&graph, &[whole]), None);
        let long = (0..LONGEST).fold(x, |sum, i| {
            let n = graph.number(i as f64 + 0.5);
            graph.binary(Binary::Sub, n, sum)
        });
        assert_eq!(Code::of(&graph, &[long]), None);
    }
}
