//! From graphs to passes.
//!
//! A value is known in a *wave*: one later than what the maps in it read. A pass makes the values of one wave and form that later waves need,
//! and computes anew what is cheap. Chains of sums, signs, numbers and maps become one instruction.

use rustc_hash::FxHashMap;

use super::super::fused::of_numbers;
use super::super::graph::{Form, Function, Graph, Id, Node, Operation, UNIFORM};
use super::program::{Code, Instruction, MOST_PARTS, MOST_TERMS, Operand, Pass, Weight};
use crate::tensor::{Binary, Unary};

/// What costs more than this many operations is kept for later waves, and not computed again.
const CHEAP: usize = 2;
/// Operations that maps may cost when what they read is computed again wherever they read it, and not kept: memory costs more.
const AGAIN: usize = 40;
/// Weights of a row of a map for which that is done.
const NARROW: usize = 5;

/// Where a result goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// It is the array after the program.
    Array(usize),
    /// It is added to the array.
    Added(usize),
    /// A number that is added to those that are kept.
    Number(usize),
}

/// Numbers that are computed before the passes of a wave.
#[derive(Clone, Debug)]
pub struct Computed {
    node: Node,
    places: Vec<(Id, usize)>,
    to: usize,
}

impl Computed {
    /// Computes it.
    pub fn run(&self, scalars: &mut [f64]) {
        let at = |id: Id| self.places.iter().find(|(own, _)| *own == id).map_or(0.0, |(_, place)| scalars[*place]);
        if let Some(value) = of_numbers(&self.node, at) {
            scalars[self.to] = value;
        }
    }
}

/// What is done in one wave.
#[derive(Clone, Debug, Default)]
pub struct Wave {
    /// Numbers.
    pub numbers: Vec<Computed>,
    /// Passes, in any order.
    pub passes: Vec<Pass>,
}

/// A program.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// In order.
    pub waves: Vec<Wave>,
    /// Arrays that change places at the end.
    pub swaps: Vec<(usize, usize)>,
    /// Scalars that are added to numbers that are kept.
    pub kept: Vec<(usize, usize)>,
}

/// What programs share.
#[derive(Default)]
pub struct Shared {
    /// Forms of arrays: those of the graph, then those of results on the way.
    pub arrays: Vec<Form>,
    /// Scalars: those that are given, then constants and results.
    pub scalars: Vec<f64>,
    constants: FxHashMap<u64, usize>,
    /// Whether a sum over points is used at points: then samples are worked on one by one.
    pub sums_are_used: bool,
    /// Places of results on the way, which the next program may take.
    free: Vec<(Form, usize)>,
    /// Whether passes become loops, which compute again what maps read of cheap values, and not kernels of cards.
    compiled: bool,
    /// How many passes there are.
    pub passes: usize,
}

impl Shared {
    /// For arrays of these forms; `compiled` asks for passes that become loops of the processor.
    pub fn new(arrays: Vec<Form>, compiled: bool) -> Self {
        Self { arrays, compiled, ..Self::default() }
    }
    fn constant(&mut self, value: f64) -> usize {
        let next = self.scalars.len();
        let place = *self.constants.entry(value.to_bits()).or_insert(next);
        if place == next {
            self.scalars.push(value);
        }
        place
    }
    fn fresh(&mut self) -> usize {
        self.scalars.push(0.0);
        self.scalars.len() - 1
    }
}

/// The program that computes results.
pub fn program(graph: &Graph, shared: &mut Shared, results: &[(Id, Target)], given: usize) -> Program {
    let plan = Plan::new(graph, results, shared.compiled);
    shared.sums_are_used |= plan.uses_sums(graph);
    let (before, mut free) = (shared.arrays.len(), std::mem::take(&mut shared.free));
    let all = free.clone();
    let assembly = Assembly {
        graph,
        shared,
        results,
        plan,
        scalars: FxHashMap::default(),
        buffers: FxHashMap::default(),
        free,
        given,
    };
    let program = assembly.program();
    free = all;
    free.extend(shared.arrays.iter().copied().zip(0..).skip(before));
    shared.free = free;
    program
}

/// What is known in which wave, and what is kept.
struct Plan {
    /// Values that are needed, arguments first.
    order: Vec<Id>,
    waves: Vec<usize>,
    stored: Vec<bool>,
    /// What maps read without its being kept.
    again: Vec<bool>,
    last: usize,
}

impl Plan {
    fn new(graph: &Graph, results: &[(Id, Target)], compiled: bool) -> Self {
        let (mut seen, mut waiting) = (vec![false; graph.nodes().len()], Vec::new());
        waiting.extend(results.iter().map(|(id, _)| *id));
        let mut order = Vec::new();
        while let Some(id) = waiting.pop() {
            if !std::mem::replace(&mut seen[id], true) {
                order.push(id);
                waiting.extend(graph.arguments(id));
            }
        }
        // Arguments have smaller numbers.
        order.sort_unstable();
        let count = graph.nodes().len();
        let again = if compiled { again(graph, &order) } else { vec![false; count] };
        let (mut waves, mut stored) = (vec![0; count], vec![false; count]);
        // In which wave a value can be computed at other places than the one that is worked on.
        let mut elsewhere = vec![0; count];
        let is_known = |a: Id| graph.is_uniform(a) || is_array(graph, a);
        for &id in &order {
            let largest = |of: &dyn Fn(Id) -> usize| graph.arguments(id).into_iter().map(of).max().unwrap_or(0);
            (waves[id], elsewhere[id]) = match &graph.nodes()[id] {
                Node::Along(_) => {
                    let wave = largest(&|a| match () {
                        () if is_known(a) => waves[a],
                        () if again[a] => elsewhere[a],
                        () => waves[a] + 1,
                    });
                    (wave, wave)
                }
                Node::Sum(a) => (waves[*a] + 1, waves[*a] + 1),
                _ => (largest(&|a| waves[a]), largest(&|a| elsewhere[a])),
            };
            if let Node::Along(parts) = &graph.nodes()[id] {
                for (_, a) in parts {
                    stored[*a] |= !is_known(*a) && !again[*a];
                }
            }
        }
        for (id, target) in results {
            if matches!(target, Target::Array(_)) && !graph.is_uniform(*id) && !is_array(graph, *id) {
                stored[*id] = true;
            }
        }
        // What later waves need is kept where it is not cheap.
        let mut crosses = vec![false; count];
        for &id in &order {
            if !matches!(graph.nodes()[id], Node::Along(_) | Node::Sum(_)) {
                for a in graph.arguments(id) {
                    crosses[a] |= waves[a] < waves[id];
                }
            }
        }
        let mut cost = vec![0usize; count];
        for &id in &order {
            if graph.is_uniform(id) || is_array(graph, id) {
                continue;
            }
            let own = match &graph.nodes()[id] {
                Node::Along(parts) => 1 + parts.len(),
                _ => {
                    let args = graph.arguments(id);
                    args.iter().filter(|a| !stored[**a]).fold(1usize, |sum, a| sum.saturating_add(cost[*a]))
                }
            };
            cost[id] = own;
            stored[id] |= crosses[id] && own > CHEAP;
        }
        let last = order.iter().map(|id| waves[*id]).max().unwrap_or(0);
        Self { order, waves, stored, again, last }
    }
    /// Whether a value at points is computed from a sum over points.
    fn uses_sums(&self, graph: &Graph) -> bool {
        let summed = |a: &Id| graph.is_uniform(*a) && self.waves[*a] > 0;
        self.order.iter().any(|id| !graph.is_uniform(*id) && graph.arguments(*id).iter().any(summed))
    }
    fn is_stored(&self, id: Id) -> bool {
        self.stored.get(id).copied().unwrap_or(false)
    }
}

/// Values that maps read and that are computed again at each place where they do: those that cost less than to be written and read.
fn again(graph: &Graph, order: &[Id]) -> Vec<bool> {
    let count = graph.nodes().len();
    let width = |map: usize| graph.maps().get(map).map_or(usize::MAX, |map| map.matrix.widest());
    let (mut reads, mut again, mut cost) = (vec![0usize; count], vec![false; count], vec![0usize; count]);
    for &id in order {
        if let Node::Along(parts) = &graph.nodes()[id] {
            for (map, a) in parts {
                let own = if width(*map) > NARROW { usize::MAX } else { width(*map) };
                reads[*a] = reads[*a].saturating_add(own);
            }
        }
    }
    for &id in order {
        if graph.is_uniform(id) || is_array(graph, id) {
            continue;
        }
        let total = |own: usize| graph.arguments(id).iter().fold(own, |sum, a| sum.saturating_add(cost[*a]));
        cost[id] = match &graph.nodes()[id] {
            Node::Along(parts) => parts.iter().fold(0, |sum: usize, (map, a)| {
                let each = 1 + if again[*a] { cost[*a] } else { 0 };
                sum.saturating_add(width(*map).saturating_mul(each))
            }),
            Node::Unary(Function(f), _) if is_arithmetic(*f) => total(1),
            Node::Binary(op, ..) if is_elementary(*op) => total(1),
            _ => usize::MAX,
        };
        again[id] = reads[id] > 0 && cost[id].saturating_mul(reads[id]) <= AGAIN;
    }
    again
}

/// Whether machine code has instructions for a function.
pub fn is_arithmetic(f: Unary) -> bool {
    matches!(f, Unary::Neg | Unary::Abs | Unary::Sqrt | Unary::Rsqrt | Unary::Recip | Unary::Square)
}
/// Whether machine code has instructions for an operation.
pub fn is_elementary(op: Operation) -> bool {
    matches!(op, Operation::Of(Binary::Add | Binary::Sub | Binary::Mul | Binary::Div))
}

fn is_array(graph: &Graph, id: Id) -> bool {
    matches!(graph.nodes()[id], Node::Array(_))
}

struct Assembly<'a> {
    graph: &'a Graph,
    shared: &'a mut Shared,
    results: &'a [(Id, Target)],
    plan: Plan,
    /// Places of numbers.
    scalars: FxHashMap<Id, usize>,
    /// Places of what is kept.
    buffers: FxHashMap<Id, usize>,
    /// Places of forms that may be taken.
    free: Vec<(Form, usize)>,
    /// Scalars of the graph.
    given: usize,
}

impl Assembly<'_> {
    fn program(mut self) -> Program {
        self.shared.scalars.resize(self.shared.scalars.len().max(self.given), 0.0);
        let mut program = Program::default();
        let uses = self.last_waves();
        for wave in 0..=self.plan.last {
            let mut made = Wave { numbers: self.numbers(wave), passes: Vec::new() };
            let mut forms: Vec<Form> = Vec::new();
            let mut outputs: Vec<(Form, Output)> = Vec::new();
            for &id in &self.plan.order {
                if self.plan.waves[id] == wave && self.plan.is_stored(id) {
                    outputs.push((self.graph.form(id), Output::Stored(id)));
                }
                if let (Node::Sum(a), true) = (&self.graph.nodes()[id], self.plan.waves[id] == wave + 1) {
                    outputs.push((self.graph.form(*a), Output::Sum(*a, id)));
                }
            }
            for (id, target) in self.results {
                let own = self.plan.waves[*id];
                match target {
                    Target::Added(array) if own == wave => {
                        outputs.push((self.shared.arrays[*array], Output::Added(*id, *array)));
                    }
                    // What is there already, or the same everywhere, is copied; of two results that are one the second.
                    Target::Array(array) if own == wave && !self.is_swapped(*id, *array) => {
                        let form = self.shared.arrays[*array];
                        let to = self.fresh(form);
                        program.swaps.push((to, *array));
                        outputs.push((form, Output::Copy(*id, to)));
                    }
                    _ => {}
                }
            }
            for (form, output) in &outputs {
                if !forms.contains(form) {
                    forms.push(*form);
                }
                if let Output::Stored(id) = output {
                    let place = self.fresh(*form);
                    self.buffers.insert(*id, place);
                }
            }
            for form in forms {
                let own: Vec<Output> = outputs.iter().filter(|(f, _)| *f == form).map(|(_, o)| *o).collect();
                let pass = self.pass(form, &own, wave);
                made.passes.push(pass);
            }
            // Places of what no later wave reads.
            let done: Vec<Id> = self.buffers.keys().copied().filter(|id| uses.get(id) == Some(&wave)).collect();
            for id in done {
                if let Some(place) = self.buffers.remove(&id) {
                    self.free.push((self.graph.form(id), place));
                }
            }
            program.waves.push(made);
        }
        for (id, target) in self.results {
            match target {
                Target::Array(array) if self.is_swapped(*id, *array) => {
                    if let Some(place) = self.buffers.get(id) {
                        program.swaps.push((*place, *array));
                    }
                }
                Target::Number(number) => program.kept.push((*number, self.scalar(*id))),
                _ => {}
            }
        }
        program
    }
    /// Whether a result has a place of its own that becomes the array.
    fn is_swapped(&self, id: Id, array: usize) -> bool {
        let first = self.results.iter().find(|(own, target)| *own == id && matches!(target, Target::Array(_)));
        self.plan.is_stored(id) && first == Some(&(id, Target::Array(array)))
    }
    /// The last wave in which what is kept is read; results to the end.
    fn last_waves(&self) -> FxHashMap<Id, usize> {
        let mut last: FxHashMap<Id, usize> = FxHashMap::default();
        // What is not kept is computed anew in every wave that needs it.
        let mut needed: FxHashMap<Id, usize> = FxHashMap::default();
        for &id in self.plan.order.iter().rev() {
            let own = self.plan.waves[id];
            let at = needed.get(&id).copied().unwrap_or(own).max(own);
            let at = if self.plan.is_stored(id) { own } else { at };
            for a in self.graph.arguments(id) {
                let at = if matches!(self.graph.nodes()[id], Node::Sum(_)) { own - 1 } else { at };
                let place = needed.entry(a).or_insert(at);
                *place = (*place).max(at);
                let place = last.entry(a).or_insert(at);
                *place = (*place).max(at);
            }
        }
        for id in &self.plan.order {
            last.entry(*id).or_insert(self.plan.waves[*id]);
        }
        for (id, target) in self.results {
            if matches!(target, Target::Array(_)) {
                last.insert(*id, usize::MAX);
            }
        }
        last
    }
    fn fresh(&mut self, form: Form) -> usize {
        if let Some(at) = self.free.iter().position(|(own, _)| *own == form) {
            return self.free.swap_remove(at).1;
        }
        self.shared.arrays.push(form);
        self.shared.arrays.len() - 1
    }
    fn numbers(&mut self, wave: usize) -> Vec<Computed> {
        let mut list = Vec::new();
        for id in self.plan.order.clone() {
            let node = self.graph.nodes()[id].clone();
            let own = self.plan.waves[id] == wave && self.graph.form(id) == UNIFORM;
            if own && matches!(node, Node::Unary(..) | Node::Binary(..)) {
                let places = self.graph.arguments(id).into_iter().map(|a| (a, self.scalar(a))).collect();
                let to = self.shared.fresh();
                self.scalars.insert(id, to);
                list.push(Computed { node, places, to });
            }
        }
        list
    }
    fn scalar(&mut self, id: Id) -> usize {
        match &self.graph.nodes()[id] {
            Node::Number(bits) => self.shared.constant(f64::from_bits(*bits)),
            Node::Scalar(i) => *i,
            _ => self.scalars.get(&id).copied().unwrap_or(0),
        }
    }
    fn pass(&mut self, form: Form, outputs: &[Output], wave: usize) -> Pass {
        let mut sums = Vec::new();
        for output in outputs {
            if let Output::Sum(a, id) = output {
                let to = self.shared.fresh();
                self.scalars.insert(*id, to);
                sums.push((*a, to));
            }
        }
        let mut body = Body::new(self, outputs, (wave, form));
        body.write();
        let Body { code, places, .. } = body;
        let at = |of: &Self, id: Id| places.get(&id).copied().unwrap_or_else(|| of.leaf(id));
        let mut code = code;
        for output in outputs {
            if let Output::Copy(id, to) = output {
                let from = if self.graph.is_uniform(*id) { Operand::Scalar(self.scalar(*id)) } else { at(self, *id) };
                code.push(Instruction { code: Code::Copy(from), to: Operand::Buffer(*to) });
            }
        }
        let of = |assembly: &mut Self, id: Id| {
            if assembly.graph.is_uniform(id) { Operand::Scalar(assembly.scalar(id)) } else { at(assembly, id) }
        };
        let sums: Vec<(Operand, usize)> = sums.into_iter().map(|(a, to)| (of(self, a), to)).collect();
        let added = outputs.iter().filter_map(|o| if let Output::Added(id, to) = o { Some((*id, *to)) } else { None });
        let added: Vec<(usize, Operand)> =
            added.collect::<Vec<_>>().into_iter().map(|(id, to)| (to, of(self, id))).collect();
        self.shared.passes += 1;
        let own = Pass {
            number: self.shared.passes - 1,
            shape: self.graph.shape(form),
            count: self.graph.count(form),
            ..Pass::default()
        };
        if self.shared.compiled {
            return Pass { code, sums, added, ..own };
        }
        let (code, renamed) = allocated(&mut code, sums.iter().map(|s| s.0).chain(added.iter().map(|a| a.1)));
        let rename = |o: Operand| if let Operand::Register(r) = o { Operand::Register(renamed[&r]) } else { o };
        Pass {
            code,
            sums: sums.into_iter().map(|(o, to)| (rename(o), to)).collect(),
            added: added.into_iter().map(|(to, o)| (to, rename(o))).collect(),
            ..own
        }
    }
    /// The place of an array, or of what an earlier wave has kept.
    fn leaf(&self, id: Id) -> Operand {
        match &self.graph.nodes()[id] {
            Node::Array(i) => Operand::Buffer(*i),
            _ => Operand::Buffer(self.buffers.get(&id).copied().unwrap_or(0)),
        }
    }
}

/// What a pass makes.
#[derive(Clone, Copy, Debug)]
enum Output {
    /// A value that is kept.
    Stored(Id),
    /// A sum over all points, and the node that it is.
    Sum(Id, Id),
    /// What is added to an array.
    Added(Id, usize),
    /// A copy.
    Copy(Id, usize),
}

/// The instructions of a pass, with a register of its own for every value.
struct Body<'a, 'b> {
    of: &'a mut Assembly<'b>,
    wave: usize,
    form: Form,
    /// What is computed here, arguments first.
    order: Vec<Id>,
    /// Parts of sums that are computed with them.
    inlined: FxHashMap<Id, bool>,
    code: Vec<Instruction>,
    places: FxHashMap<Id, Operand>,
}

impl<'a, 'b> Body<'a, 'b> {
    fn new(of: &'a mut Assembly<'b>, outputs: &[Output], (wave, form): (usize, Form)) -> Self {
        let graph = of.graph;
        let mut roots: Vec<Id> = outputs
            .iter()
            .map(|output| match output {
                Output::Stored(id) | Output::Sum(id, _) | Output::Added(id, _) | Output::Copy(id, _) => *id,
            })
            .collect();
        let is_leaf = |of: &Assembly<'_>, id: Id| {
            graph.is_uniform(id) || is_array(graph, id) || (of.plan.is_stored(id) && of.plan.waves[id] < wave)
        };
        let mut seen: FxHashMap<Id, bool> = FxHashMap::default();
        let mut order = Vec::new();
        let mut waiting = roots.clone();
        while let Some(id) = waiting.pop() {
            if !is_leaf(of, id) && seen.insert(id, true).is_none() {
                order.push(id);
                let read = |a: &Id| !matches!(graph.nodes()[id], Node::Along(_)) || of.plan.again[*a];
                waiting.extend(graph.arguments(id).into_iter().filter(read));
            }
        }
        order.sort_unstable();
        roots.retain(|id| seen.contains_key(id));
        let mut uses: FxHashMap<Id, (usize, bool)> = FxHashMap::default();
        for &id in &order {
            let plain = !matches!(graph.nodes()[id], Node::Along(_));
            for a in graph.arguments(id) {
                // What a map reads has an instruction of its own.
                let entry = uses.entry(a).or_insert((0, true));
                *entry = (entry.0 + 1, entry.1 && plain && is_linear(graph, id));
            }
        }
        // Each part of a sum is computed with it where nothing else needs it.
        let (mut inlined, mut sizes): (FxHashMap<Id, bool>, FxHashMap<Id, (usize, usize)>) = Default::default();
        for &id in &order {
            let size = match &graph.nodes()[id] {
                Node::Along(parts) => (0, parts.len()),
                _ => {
                    let mut sum = (0, 0);
                    for a in graph.arguments(id).into_iter().filter(|a| !graph.is_uniform(*a)) {
                        let own = if inlined.contains_key(&a) { sizes[&a] } else { (1, 0) };
                        if is_linear(graph, id) && sum.0 + own.0 < MOST_TERMS && sum.1 + own.1 <= MOST_PARTS {
                            sum = (sum.0 + own.0, sum.1 + own.1);
                        } else {
                            inlined.remove(&a);
                            sum.0 += 1;
                        }
                    }
                    sum
                }
            };
            sizes.insert(id, size);
            let alone = uses.get(&id).is_some_and(|(count, linear)| *linear && *count == 1);
            if is_linear(graph, id) && alone && !roots.contains(&id) {
                inlined.insert(id, true);
            }
        }
        Self { of, wave, form, order, inlined, code: Vec::new(), places: FxHashMap::default() }
    }
    fn operand(&mut self, id: Id) -> Operand {
        if self.of.graph.is_uniform(id) {
            return Operand::Scalar(self.of.scalar(id));
        }
        self.places.get(&id).copied().unwrap_or_else(|| self.of.leaf(id))
    }
    fn write(&mut self) {
        for (at, id) in self.order.clone().into_iter().enumerate() {
            if self.inlined.contains_key(&id) {
                continue;
            }
            let graph = self.of.graph;
            let code = match &graph.nodes()[id] {
                _ if is_linear(graph, id) => self.linear(id),
                Node::Unary(Function(f), a) => Code::Unary(*f, self.operand(*a)),
                Node::Binary(op, a, b) => Code::Binary(*op, self.operand(*a), self.operand(*b)),
                _ => continue,
            };
            // Values of other forms are there for maps alone; they are kept by a pass of their own.
            let is_own = self.of.plan.waves[id] == self.wave && graph.form(id) == self.form;
            let kept = self.of.buffers.get(&id).copied().filter(|_| is_own);
            if self.of.shared.compiled {
                // Machine code names every value, since maps may read it at other places too.
                self.places.insert(id, Operand::Register(at));
                self.code.push(Instruction { code, to: Operand::Register(at) });
                if let Some(buffer) = kept {
                    let code = Code::Copy(Operand::Register(at));
                    self.code.push(Instruction { code, to: Operand::Buffer(buffer) });
                }
                continue;
            }
            let to = kept.map_or(Operand::Register(at), Operand::Buffer);
            self.places.insert(id, to);
            self.code.push(Instruction { code, to });
        }
    }
    fn linear(&mut self, id: Id) -> Code {
        let (mut terms, mut parts) = (Vec::new(), Vec::new());
        self.gather(id, Weight { number: 1.0, scalars: Vec::new() }, true, &mut terms, &mut parts);
        match (&terms[..], &parts[..]) {
            // Without weights as it stands.
            ([(a, x), (b, y)], []) if a.scalars.is_empty() && b.scalars.is_empty() && a.number == 1.0 => {
                match b.number {
                    1.0 => Code::Binary(Operation::Of(Binary::Add), *x, *y),
                    -1.0 => Code::Binary(Operation::Of(Binary::Sub), *x, *y),
                    _ => Code::Linear(terms, parts),
                }
            }
            _ => Code::Linear(terms, parts),
        }
    }
    fn gather(
        &mut self,
        id: Id,
        weight: Weight,
        first: bool,
        terms: &mut Vec<(Weight, Operand)>,
        parts: &mut Vec<(Weight, usize, Operand)>,
    ) {
        let graph = self.of.graph;
        if !first && !self.inlined.contains_key(&id) {
            let operand = self.operand(id);
            return match terms.iter_mut().find(|(w, o)| *o == operand && w.scalars == weight.scalars) {
                Some((own, _)) => own.number += weight.number,
                None => terms.push((weight, operand)),
            };
        }
        let times = |w: Weight, by: f64| Weight { number: w.number * by, ..w };
        match &graph.nodes()[id] {
            Node::Along(list) => {
                for (map, a) in list {
                    let from = self.operand(*a);
                    parts.push((weight.clone(), *map, from));
                }
            }
            Node::Unary(_, a) => self.gather(*a, times(weight, -1.0), false, terms, parts),
            Node::Binary(Operation::Of(Binary::Add), a, b) => {
                self.gather(*a, weight.clone(), false, terms, parts);
                self.gather(*b, weight, false, terms, parts);
            }
            Node::Binary(Operation::Of(Binary::Sub), a, b) => {
                self.gather(*a, weight.clone(), false, terms, parts);
                self.gather(*b, times(weight, -1.0), false, terms, parts);
            }
            Node::Binary(op, a, b) => {
                let (by, of) = if graph.is_uniform(*a) { (*a, *b) } else { (*b, *a) };
                let weight = match graph.as_number(by) {
                    Some(n) if *op == Operation::Of(Binary::Div) => times(weight, 1.0 / n),
                    Some(n) => times(weight, n),
                    None => {
                        let mut weight = weight;
                        weight.scalars.push(self.of.scalar(by));
                        weight
                    }
                };
                self.gather(of, weight, false, terms, parts);
            }
            _ => {}
        }
    }
}

/// Whether a node is a sum of its arguments with weights that are the same everywhere.
fn is_linear(graph: &Graph, id: Id) -> bool {
    match &graph.nodes()[id] {
        Node::Along(_) | Node::Unary(Function(Unary::Neg), _) => true,
        Node::Binary(Operation::Of(op), a, b) => match op {
            Binary::Add | Binary::Sub => !graph.is_uniform(*a) && !graph.is_uniform(*b),
            Binary::Mul => graph.is_uniform(*a) != graph.is_uniform(*b),
            Binary::Div => graph.as_number(*b).is_some() && !graph.is_uniform(*a),
            _ => false,
        },
        _ => false,
    }
}

/// Few registers for many values: one is given back when what is in it was read for the last time.
fn allocated(
    code: &mut [Instruction],
    ends: impl Iterator<Item = Operand>,
) -> (Vec<Instruction>, FxHashMap<usize, usize>) {
    let reads = |code: &Code| -> Vec<usize> {
        let all: Vec<Operand> = match code {
            Code::Copy(a) | Code::Unary(_, a) => vec![*a],
            Code::Binary(_, a, b) => vec![*a, *b],
            Code::Linear(terms, _) => terms.iter().map(|(_, a)| *a).collect(),
        };
        let mut all: Vec<usize> =
            all.into_iter().filter_map(|o| if let Operand::Register(r) = o { Some(r) } else { None }).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let mut last: FxHashMap<usize, usize> = FxHashMap::default();
    for (at, instruction) in code.iter().enumerate() {
        last.extend(reads(&instruction.code).into_iter().map(|r| (r, at)));
    }
    last.extend(ends.filter_map(|o| if let Operand::Register(r) = o { Some((r, usize::MAX)) } else { None }));
    let (mut names, mut free, mut count): (FxHashMap<usize, usize>, Vec<usize>, usize) = Default::default();
    let mut out = Vec::with_capacity(code.len());
    for (at, instruction) in code.iter().enumerate() {
        let mut instruction = instruction.clone();
        let own = reads(&instruction.code);
        if let Operand::Register(r) = instruction.to {
            let name = free.pop().unwrap_or_else(|| {
                count += 1;
                count - 1
            });
            names.insert(r, name);
        }
        let rename = |o: &mut Operand| {
            if let Operand::Register(r) = o {
                *o = Operand::Register(names.get(r).copied().unwrap_or(0));
            }
        };
        match &mut instruction.code {
            Code::Copy(a) | Code::Unary(_, a) => rename(a),
            Code::Binary(_, a, b) => {
                rename(a);
                rename(b);
            }
            Code::Linear(terms, _) => terms.iter_mut().for_each(|(_, a)| rename(a)),
        }
        rename(&mut instruction.to);
        out.push(instruction);
        // After the result has its place: no instruction writes what it reads.
        free.extend(own.into_iter().filter(|r| last.get(r) == Some(&at)).filter_map(|r| names.get(&r)));
    }
    (out, names)
}
