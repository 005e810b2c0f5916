//! Chains of elementwise operations as one program over tiles that stay in the nearest cache.
//!
//! A tile is a few hundred neighbouring points. Each instruction is one loop over a tile, compiled to the widest vectors of the
//! processor; what it reads was written a moment ago. Nothing is allocated while a program runs.

use super::graph::{Function, Graph, Id, Node, Operation};
use super::operation;
use crate::tensor::{Real, Unary};

/// Points of a tile: a few registers of them, in `f64`, fill half of the nearest cache.
const TILE: usize = 512;

/// What an instruction reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand {
    /// A tile of an earlier result.
    Register(usize),
    /// Values at points that are given.
    Input(usize),
    /// What another result is made of.
    Output(usize),
    /// The same number at all points.
    Scalar(usize),
}

#[derive(Clone, Copy, Debug)]
enum Code {
    Copy(Operand),
    Unary(Unary, Operand),
    Binary(Operation, Operand, Operand),
}

#[derive(Clone, Copy, Debug)]
struct Instruction {
    code: Code,
    to: Operand,
}

/// Instructions in order, made for given nodes.
#[derive(Clone, Debug, Default)]
pub struct Program {
    code: Vec<Instruction>,
    registers: usize,
    outputs: usize,
}

/// The tiles of a program while it runs.
#[derive(Default)]
pub struct Tiles<T>(Vec<Vec<T>>);

impl Program {
    /// The program that computes `outputs`, each a different node; `leaf` says where the values are that it does not compute.
    pub fn new(graph: &Graph, outputs: &[Id], leaf: impl Fn(Id) -> Option<Operand>) -> Self {
        let mut order = Vec::new();
        let mut seen = vec![false; graph.nodes().len()];
        for &output in outputs {
            visit(graph, output, &leaf, &mut seen, &mut order);
        }
        let mut last = vec![0; graph.nodes().len()];
        for (at, &id) in order.iter().enumerate() {
            for argument in graph.arguments(id) {
                last[argument] = at;
            }
        }
        let mut places: Vec<Option<Operand>> = vec![None; graph.nodes().len()];
        let (mut free, mut registers, mut code) = (Vec::new(), 0, Vec::new());
        for (at, &id) in order.iter().enumerate() {
            let place = |id: Id| leaf(id).or(places[id]).unwrap_or(Operand::Scalar(0));
            let code_of = match &graph.nodes()[id] {
                Node::Unary(Function(f), a) => Code::Unary(*f, place(*a)),
                Node::Binary(op, a, b) => Code::Binary(*op, place(*a), place(*b)),
                _ => Code::Copy(place(id)),
            };
            let to = match outputs.iter().position(|o| *o == id) {
                Some(output) => Operand::Output(output),
                // Operands are given back after the result has its place: no instruction writes what it reads.
                None => Operand::Register(free.pop().unwrap_or_else(|| {
                    registers += 1;
                    registers - 1
                })),
            };
            places[id] = Some(to);
            code.push(Instruction { code: code_of, to });
            let mut arguments = graph.arguments(id);
            arguments.dedup();
            for argument in arguments {
                if let (true, Some(Operand::Register(r)), None) =
                    (last[argument] == at, places[argument], leaf(argument))
                {
                    free.push(r);
                }
            }
        }
        for (output, id) in outputs.iter().enumerate() {
            if let Some(place) = leaf(*id) {
                code.push(Instruction { code: Code::Copy(place), to: Operand::Output(output) });
            }
        }
        Self { code, registers, outputs: outputs.len() }
    }
    /// How many results it has.
    pub fn outputs(&self) -> usize {
        self.outputs
    }
    /// Computes `outputs` at `len` points.
    pub fn run<T: Real>(
        &self,
        tiles: &mut Tiles<T>,
        scalars: &[T],
        inputs: &[&[T]],
        outputs: &mut [&mut [T]],
        len: usize,
    ) {
        if tiles.0.len() < self.registers {
            tiles.0.resize_with(self.registers, || vec![T::default(); TILE]);
        }
        for start in (0..len).step_by(TILE) {
            let range = start..(start + TILE).min(len);
            for Instruction { code, to } in &self.code {
                // Out of its place while it is written; no instruction reads it.
                let (mut tile, output): (Vec<T>, &mut [T]) = match to {
                    Operand::Register(r) => (std::mem::take(&mut tiles.0[*r]), &mut []),
                    Operand::Output(o) => (Vec::new(), std::mem::take(&mut outputs[*o])),
                    _ => continue,
                };
                let write = if output.is_empty() { &mut tile[..range.len()] } else { &mut output[range.clone()] };
                let read = |operand: Operand| match operand {
                    Operand::Register(r) => operation::Values::Many(&tiles.0[r][..range.len()]),
                    Operand::Input(i) => operation::Values::Many(&inputs[i][range.clone()]),
                    Operand::Output(o) => operation::Values::Many(&outputs[o][range.clone()]),
                    Operand::Scalar(s) => operation::Values::One(scalars[s]),
                };
                match *code {
                    Code::Copy(a) => operation::copy(read(a), write),
                    Code::Unary(f, a) => operation::unary(f, read(a), write),
                    Code::Binary(op, a, b) => operation::binary(op, read(a), read(b), write),
                }
                match to {
                    Operand::Register(r) => tiles.0[*r] = tile,
                    Operand::Output(o) => outputs[*o] = output,
                    _ => {}
                }
            }
        }
    }
}

/// Orders what is to be computed so that arguments come first.
fn visit(graph: &Graph, id: Id, leaf: &impl Fn(Id) -> Option<Operand>, seen: &mut [bool], order: &mut Vec<Id>) {
    // Not by recursion: an expression may be thousands of operations deep.
    let mut waiting = vec![(id, false)];
    while let Some((id, done)) = waiting.pop() {
        if done {
            order.push(id);
        } else if !seen[id] && leaf(id).is_none() {
            seen[id] = true;
            waiting.push((id, true));
            waiting.extend(graph.arguments(id).into_iter().map(|a| (a, false)));
        }
    }
}

/// An operation on numbers alone.
pub fn of_numbers<T: Real>(node: &Node, number: impl Fn(Id) -> T) -> Option<T> {
    let mut out = [T::default()];
    match node {
        Node::Unary(Function(f), a) => operation::unary(*f, operation::Values::One(number(*a)), &mut out),
        Node::Binary(op, a, b) => {
            operation::binary(*op, operation::Values::One(number(*a)), operation::Values::One(number(*b)), &mut out);
        }
        Node::Number(bits) => return Some(T::of(f64::from_bits(*bits))),
        _ => return None,
    }
    Some(out[0])
}
