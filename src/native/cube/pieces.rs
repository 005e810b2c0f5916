//! Long passes in pieces: compilers take far more than twice as long for a kernel that is twice as long. What a pass makes for several arrays is made by several
//! kernels, each of which computes what it needs of the others' values anew.

use std::collections::HashMap;

use crate::native::points::program::{Code, Operand, Pass};

/// Instructions of a piece, with the maps in them, where it can be shorter.
const MOST: usize = 64;

/// What a pass ends with.
#[derive(Clone, Copy)]
enum End {
    /// An instruction that writes an array.
    Written,
    Sum(usize),
    Added(usize),
}

/// A pass in pieces, to be run one after the other.
pub fn pieces(pass: &Pass) -> Vec<Pass> {
    pieces_of(pass, MOST)
}

fn pieces_of(pass: &Pass, most: usize) -> Vec<Pass> {
    let cost = |i: &usize| match &pass.code[*i].code {
        Code::Linear(_, parts) => 1 + parts.len(),
        _ => 1,
    };
    if (0..pass.code.len()).map(|i| cost(&i)).sum::<usize>() <= most {
        return vec![pass.clone()];
    }
    // Registers hold one value after the other: who has written last. What is read of an array is there since an earlier piece.
    let (mut writers, mut needs): (HashMap<usize, usize>, Vec<Vec<usize>>) = Default::default();
    let mut ends = Vec::new();
    for (i, instruction) in pass.code.iter().enumerate() {
        let of = |o: &Operand| if let Operand::Register(r) = o { writers.get(r).copied() } else { None };
        needs.push(match &instruction.code {
            Code::Copy(a) | Code::Unary(_, a) => of(a).into_iter().collect(),
            Code::Binary(_, a, b) => [a, b].into_iter().filter_map(of).collect(),
            Code::Linear(terms, parts) => {
                terms.iter().map(|(_, a)| a).chain(parts.iter().map(|(_, _, a)| a)).filter_map(of).collect()
            }
        });
        match instruction.to {
            Operand::Register(r) => {
                writers.insert(r, i);
            }
            _ => ends.push((End::Written, Some(i))),
        }
    }
    let last = |o: &Operand| if let Operand::Register(r) = o { writers.get(r).copied() } else { None };
    ends.extend(pass.sums.iter().enumerate().map(|(i, (of, _))| (End::Sum(i), last(of))));
    ends.extend(pass.added.iter().enumerate().map(|(i, (_, of))| (End::Added(i), last(of))));
    let (mut made, mut piece) = (Vec::new(), (vec![false; pass.code.len()], Vec::new()));
    for (end, from) in ends {
        let mut needed = vec![false; pass.code.len()];
        let mut open: Vec<usize> = from.into_iter().collect();
        while let Some(i) = open.pop() {
            if !std::mem::replace(&mut needed[i], true) {
                open.extend(&needs[i]);
            }
        }
        let both: Vec<bool> = piece.0.iter().zip(&needed).map(|(a, b)| *a || *b).collect();
        if !piece.1.is_empty() && (0..both.len()).filter(|i| both[*i]).map(|i| cost(&i)).sum::<usize>() > most {
            made.push(part(pass, &std::mem::replace(&mut piece, (needed, vec![end]))));
        } else {
            piece.0 = both;
            piece.1.push(end);
        }
    }
    made.push(part(pass, &piece));
    made
}

/// Some ends of a pass, with the instructions that they need.
fn part(pass: &Pass, (needed, ends): &(Vec<bool>, Vec<End>)) -> Pass {
    let code = pass.code.iter().zip(needed).filter(|(_, needed)| **needed).map(|(code, _)| code.clone()).collect();
    let sums = ends.iter().filter_map(|end| if let End::Sum(i) = end { Some(pass.sums[*i]) } else { None });
    let added = ends.iter().filter_map(|end| if let End::Added(i) = end { Some(pass.added[*i]) } else { None });
    Pass { code, sums: sums.collect(), added: added.collect(), ..*pass }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::points::program::Instruction;
    use crate::tensor::Unary;

    fn unary(a: Operand, to: Operand) -> Instruction {
        Instruction { code: Code::Unary(Unary::Sin, a), to }
    }

    #[test]
    fn pieces_have_what_they_need_in_order() {
        let (register, buffer) = (Operand::Register, Operand::Buffer);
        // Register 0 holds two values, and both arrays need the first of them.
        let code = vec![
            unary(buffer(0), register(0)),
            unary(register(0), buffer(1)),
            unary(register(0), register(1)),
            unary(buffer(1), register(0)),
            unary(register(1), buffer(2)),
        ];
        let pass =
            Pass { count: 4, code, sums: vec![(register(0), 7)], added: vec![(5, register(1))], ..Pass::default() };
        let lens = |most: usize| pieces_of(&pass, most).iter().map(|p| p.code.len()).collect::<Vec<_>>();
        assert_eq!(lens(5), [5]);
        assert_eq!(lens(4), [4, 3]);
        assert_eq!(lens(1), [2, 3, 1, 2]);
        let made = pieces_of(&pass, 1);
        let to = |piece: &Pass| piece.code.iter().map(|i| i.to).collect::<Vec<_>>();
        assert_eq!(to(&made[1]), [register(0), register(1), buffer(2)]);
        assert_eq!((made[2].sums.clone(), to(&made[2])), (vec![(register(0), 7)], vec![register(0)]));
        assert_eq!((made[3].added.clone(), to(&made[3])), (vec![(5, register(1))], vec![register(0), register(1)]));
    }
}
