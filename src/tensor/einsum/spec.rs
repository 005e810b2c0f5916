//! The text of an `einsum`, read and checked against the shapes.

use std::collections::BTreeMap;

use super::{Error, Result, Shape};

/// The name of an axis. Those of `...` come first and are numbered from the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Label {
    /// An axis of `...`; 0 is the first of the widest operand.
    Unnamed(usize),
    Named(char),
}

/// Which label each axis has.
#[derive(Debug)]
pub(super) struct Spec {
    pub operands: Vec<Vec<Label>>,
    pub output: Vec<Label>,
    lens: BTreeMap<Label, usize>,
}

/// One term of the text: letters, with `None` for the ellipsis, and the position of each.
type Term = Vec<(Option<char>, usize)>;

struct Fault<'a>(&'a str);
impl Fault<'_> {
    fn at(&self, position: usize, what: &str) -> Error {
        Error::value(format!("einsum: {what}")).got(format!("position {position} of {:?}", self.0))
    }
}

impl Spec {
    pub fn parse(text: &str, shapes: &[Shape]) -> Result<Self> {
        let fault = Fault(text);
        let (terms, output) = terms(text, &fault)?;
        if terms.len() != shapes.len() {
            return Err(Error::value("einsum: one term for each tensor, separated by commas").got(format!(
                "{} terms in {text:?}, {} tensors",
                terms.len(),
                shapes.len()
            )));
        }
        let unnamed = |term: &Term, rank: usize| {
            let named = term.iter().filter(|(l, _)| l.is_some()).count();
            if term.len() > named { rank.saturating_sub(named) } else { 0 }
        };
        let widest = terms.iter().zip(shapes).map(|(t, s)| unnamed(t, s.len())).max().unwrap_or(0);
        let mut lens: BTreeMap<Label, usize> = BTreeMap::new();
        let mut operands = Vec::with_capacity(terms.len());
        for (number, (term, shape)) in terms.iter().zip(shapes).enumerate() {
            let count = unnamed(term, shape.len());
            let labels = expand(term, count, widest);
            if labels.len() != shape.len() {
                let position = term.first().map_or(0, |t| t.1);
                return Err(fault
                    .at(
                        position,
                        &format!("tensor {} has {} axes, its term names {}", number + 1, shape.len(), labels.len()),
                    )
                    .expected(format!("one letter for each axis of shape {shape:?}, or `...`")));
            }
            for (label, &n) in labels.iter().zip(shape) {
                let len = lens.entry(*label).or_insert(n);
                let stretches = matches!(label, Label::Unnamed(_)) && (n == 1 || *len == 1);
                if n != *len && !stretches {
                    let position = term.iter().find(|(l, _)| l.map(Label::Named) == Some(*label)).map_or(0, |t| t.1);
                    let name = if let Label::Named(c) = label { format!("index {c:?}") } else { "`...`".into() };
                    return Err(fault.at(position, &format!("{name} stands for the lengths {len} and {n}")));
                }
                if *len == 1 {
                    *len = n;
                }
            }
            operands.push(labels);
        }
        let output = match output {
            Some(term) => {
                let labels = expand(&term, if term.iter().any(|(l, _)| l.is_none()) { widest } else { 0 }, widest);
                for (i, (letter, position)) in term.iter().enumerate() {
                    let Some(c) = letter else { continue };
                    if !lens.contains_key(&Label::Named(*c)) {
                        return Err(fault.at(*position, &format!("the output names {c:?}, which no tensor has")));
                    }
                    if term[..i].iter().any(|(l, _)| l == letter) {
                        return Err(fault.at(*position, &format!("the output names {c:?} twice")));
                    }
                }
                labels
            }
            None => {
                let count = |label: &Label| operands.iter().flatten().filter(|l| *l == label).count();
                lens.keys().copied().filter(|l| matches!(l, Label::Unnamed(_)) || count(l) == 1).collect()
            }
        };
        Ok(Self { operands, output, lens })
    }

    /// The length of an index.
    pub fn len(&self, label: &Label) -> usize {
        self.lens.get(label).copied().unwrap_or(1)
    }
}

/// Labels of a term whose ellipsis stands for `count` of the `widest` unnamed axes.
fn expand(term: &Term, count: usize, widest: usize) -> Vec<Label> {
    term.iter()
        .flat_map(|(letter, _)| match letter {
            Some(c) => vec![Label::Named(*c)],
            None => (widest - count..widest).map(Label::Unnamed).collect(),
        })
        .collect()
}

/// The terms of the operands, and that of the output if it is given.
fn terms(text: &str, fault: &Fault) -> Result<(Vec<Term>, Option<Term>)> {
    let mut terms: Vec<Term> = vec![Term::new()];
    let mut output = false;
    let mut chars = text.chars().enumerate().filter(|(_, c)| !c.is_whitespace()).peekable();
    while let Some((position, c)) = chars.next() {
        let mut follows = |wanted: char| chars.next_if(|(_, c)| *c == wanted).is_some();
        match c {
            ',' if output => return Err(fault.at(position, "a comma after `->`")),
            ',' => terms.push(Term::new()),
            '-' if output || !follows('>') => return Err(fault.at(position, "`->` stands once, before the output")),
            '-' => {
                output = true;
                terms.push(Term::new());
            }
            '.' if !(follows('.') && follows('.')) => {
                return Err(fault.at(position, "an ellipsis is three points: `...`"));
            }
            '.' | '…' => {
                let term = terms.last_mut().filter(|t| t.iter().all(|(l, _)| l.is_some()));
                term.ok_or_else(|| fault.at(position, "a second `...` in one term"))?.push((None, position));
            }
            c if c.is_alphabetic() => {
                if let Some(term) = terms.last_mut() {
                    term.push((Some(c), position));
                }
            }
            c => {
                return Err(fault.at(position, &format!("{c:?} is no index")).expected("letters, commas, `...`, `->`"));
            }
        }
    }
    let last = if output { terms.pop() } else { None };
    Ok((terms, last))
}
