//! From graphs and sums of states to phases, with as few registers as are alive at once.
//!
//! A kernel becomes *waves*: each is a phase over columns, which brings spectra to points, and one over rows, which computes there what the
//! next one transforms. Most right-hand sides are a single wave; a product inside of a derivative inside of another product makes
//! a second one. Between the waves of two kernels the sums of an integrator join the phase over columns.

use std::collections::HashMap;

use super::fused::{Operand, Program};
use super::graph::{Graph, Id, Kernel, Node, Operator, Source, Term, behind};
use super::machine::{Addend, Computed, OnColumns, OnRows, Outcome, Phase};

/// Which multiplier.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Multiplier {
    /// Of an operator of the equation.
    Operator(Operator),
    /// Element `(row, column)` of function `number` of the linear part, or its conjugate.
    Function { number: usize, row: usize, column: usize, conjugate: bool },
}

/// What all programs of a run share: multipliers and scalars by their places.
#[derive(Default)]
pub struct Shared {
    /// Multipliers in the order of their tables.
    pub tables: Vec<Multiplier>,
    places: HashMap<Multiplier, usize>,
    /// Scalars: first those that are given, then constants and results.
    pub scalars: Vec<f64>,
    constants: HashMap<u64, usize>,
    /// Registers of columns.
    pub registers: usize,
    /// Results of rows that are transformed.
    pub transformed: usize,
    /// Results at points that are kept.
    pub points: usize,
    /// Numbers that are kept.
    pub numbers: usize,
}

impl Shared {
    /// With so many scalars that are given, of which the first is the time.
    pub fn new(given: usize) -> Self {
        Self { scalars: vec![0.0; given.max(1)], ..Self::default() }
    }
    fn table(&mut self, multiplier: Multiplier) -> usize {
        if let Some(&known) = self.places.get(&multiplier) {
            return known;
        }
        self.tables.push(multiplier.clone());
        self.places.insert(multiplier, self.tables.len() - 1);
        self.tables.len() - 1
    }
    fn constant(&mut self, bits: u64) -> usize {
        if let Some(&known) = self.constants.get(&bits) {
            return known;
        }
        self.scalars.push(f64::from_bits(bits));
        self.constants.insert(bits, self.scalars.len() - 1);
        self.scalars.len() - 1
    }
    fn fresh_scalar(&mut self) -> usize {
        self.scalars.push(0.0);
        self.scalars.len() - 1
    }
}

/// One part of a sum of states.
#[derive(Clone, Debug)]
pub struct Part {
    /// The register that it comes from.
    pub register: usize,
    /// A function of the linear part.
    pub multiplier: Option<Multiplier>,
    /// A number.
    pub weight: f64,
}

/// A program that is being made. Registers are numbered as they come; at the end they get places.
pub struct Assembler<'a> {
    shared: &'a mut Shared,
    phases: Vec<Phase>,
    columns: Vec<OnColumns>,
    /// For each register whether columns that are not kept are 0.
    narrow: Vec<bool>,
    /// Registers with places of their own from the beginning.
    pinned: usize,
}

impl<'a> Assembler<'a> {
    /// A program whose first registers are `pinned` to their places.
    pub fn new(shared: &'a mut Shared, pinned: usize) -> Self {
        Self { shared, phases: Vec::new(), columns: Vec::new(), narrow: vec![false; pinned], pinned }
    }
    fn fresh(&mut self, narrow: bool) -> usize {
        self.narrow.push(narrow);
        self.narrow.len() - 1
    }
    fn flush(&mut self) {
        if !self.columns.is_empty() {
            self.phases.push(Phase::Columns(std::mem::take(&mut self.columns)));
        }
    }
    fn is_narrow(&self, register: usize) -> bool {
        self.narrow.get(register).copied().unwrap_or(false)
    }

    /// A sum of registers.
    pub fn sum(&mut self, parts: &[Part]) -> usize {
        let narrow = parts.iter().all(|part| self.is_narrow(part.register));
        let addends = parts
            .iter()
            .map(|part| Addend {
                register: part.register,
                table: part.multiplier.clone().map(|m| self.shared.table(m)),
                weight: part.weight,
                scalar: None,
                narrow: self.is_narrow(part.register),
            })
            .collect();
        let to = self.fresh(narrow);
        self.columns.push(OnColumns::Sum { to, addends, narrow });
        to
    }
    /// Adds `a* b` to a pinned register.
    pub fn correlate(&mut self, to: usize, a: usize, b: usize) {
        let narrow = self.is_narrow(a) || self.is_narrow(b);
        self.columns.push(OnColumns::Correlate { to, a, b, narrow });
    }

    /// The spectra of a kernel of `states` and `cotangents`, evaluated `part` after the time of the step.
    pub fn kernel(
        &mut self,
        graph: &Graph,
        kernel: &Kernel,
        states: &[usize],
        cotangents: &[usize],
        part: f64,
    ) -> Vec<usize> {
        let waves = Waves::of(graph, kernel);
        if waves.nodes.iter().any(|(id, _)| graph.nodes()[*id] == Node::Scalar(0)) {
            self.flush();
            self.phases.push(Phase::Time(part));
        }
        let mut run = Run {
            graph,
            waves: &waves,
            states,
            cotangents,
            scalars: HashMap::new(),
            values: HashMap::new(),
            transforms: HashMap::new(),
        };
        for wave in 0..=waves.count {
            self.numbers(&mut run, wave);
            for (number, (id, narrow)) in waves.transforms.iter().enumerate() {
                if waves.wave(*id) + 1 == wave {
                    let to = self.fresh(*narrow);
                    self.columns.push(OnColumns::Forward { to, from: number, narrow: *narrow });
                    run.transforms.insert(*id, to);
                }
            }
            for (id, own) in &waves.nodes {
                if let (true, Node::Inverse(terms)) = (*own == wave, &graph.nodes()[*id]) {
                    let register = self.terms(&run, terms);
                    self.columns.push(OnColumns::Inverse { register, narrow: self.is_narrow(register) });
                    run.values.insert(*id, register);
                }
            }
            self.rows(&mut run, kernel, wave);
        }
        let spectra = kernel.spectra.iter().map(|terms| self.terms(&run, terms)).collect();
        for (to, id) in kernel.numbers.iter().enumerate() {
            let scalar = self.scalar(&run, *id);
            self.flush();
            self.phases.push(Phase::Keep { to, scalar });
        }
        self.shared.points = self.shared.points.max(kernel.points.len());
        self.shared.numbers = self.shared.numbers.max(kernel.numbers.len());
        self.shared.transformed = self.shared.transformed.max(waves.transforms.len());
        spectra
    }
    /// Scalars that are computed from those before.
    fn numbers(&mut self, run: &mut Run<'_>, wave: usize) {
        let mut list = Vec::new();
        for (id, own) in &run.waves.nodes {
            let node = &run.graph.nodes()[*id];
            if *own != wave || !run.graph.is_uniform(*id) || !matches!(node, Node::Unary(..) | Node::Binary(..)) {
                continue;
            }
            let places = run.graph.arguments(*id).into_iter().map(|a| (a, self.scalar(run, a))).collect();
            let to = self.shared.fresh_scalar();
            run.scalars.insert(*id, to);
            list.push(Computed { to, node: node.clone(), places });
        }
        if !list.is_empty() {
            self.flush();
            self.phases.push(Phase::Numbers(list));
        }
    }
    fn scalar(&mut self, run: &Run<'_>, id: Id) -> usize {
        match run.graph.nodes().get(id) {
            Some(Node::Number(bits)) => self.shared.constant(*bits),
            Some(Node::Scalar(i)) => *i,
            _ => run.scalars.get(&id).copied().unwrap_or(0),
        }
    }
    /// A register that is a sum of terms.
    fn terms(&mut self, run: &Run<'_>, terms: &[Term]) -> usize {
        let mut addends = Vec::new();
        for term in terms {
            let register = match term.source {
                Source::State(c) => run.states.get(c),
                Source::Cotangent(c) => run.cotangents.get(c),
                Source::Transform(id) => run.transforms.get(&id),
            };
            let Some(&register) = register else { continue };
            let plain = term.operator == Operator::default();
            let table = if plain { None } else { Some(self.shared.table(Multiplier::Operator(term.operator.clone()))) };
            let scalar = term.factor.map(|id| self.scalar(run, id));
            let narrow = term.operator.cut || self.is_narrow(register);
            addends.push(Addend { register, table, weight: term.weight(), scalar, narrow });
        }
        let narrow = addends.iter().all(|a| a.narrow);
        let to = self.fresh(narrow);
        self.columns.push(OnColumns::Sum { to, addends, narrow });
        to
    }
    /// The pass over rows of a wave.
    fn rows(&mut self, run: &mut Run<'_>, kernel: &Kernel, wave: usize) {
        let (graph, waves) = (run.graph, run.waves);
        let mut outputs: Vec<Id> = Vec::new();
        let mut results = Vec::new();
        let mut output = |id: Id| {
            outputs.iter().position(|o| *o == id).unwrap_or_else(|| {
                outputs.push(id);
                outputs.len() - 1
            })
        };
        for (number, (id, narrow)) in waves.transforms.iter().enumerate() {
            if waves.wave(*id) == wave {
                results.push((output(*id), Outcome::Transform { to: number, narrow: *narrow }));
            }
        }
        for (id, own) in &waves.nodes {
            if let (true, Node::Sum(a)) = (*own == wave + 1, &graph.nodes()[*id]) {
                let to = self.shared.fresh_scalar();
                run.scalars.insert(*id, to);
                results.push((output(*a), Outcome::Sum { to }));
            }
        }
        for (to, (id, added)) in kernel.points.iter().enumerate() {
            if waves.wave(*id) == wave {
                results.push((output(*id), Outcome::Points { to, added: *added }));
            }
        }
        if outputs.is_empty() {
            return;
        }
        let needed = cone(graph, &outputs);
        let (mut inverse, mut arrays) = (Vec::new(), Vec::new());
        for id in &needed {
            match &graph.nodes()[*id] {
                Node::Inverse(_) => inverse.push(*id),
                Node::Array(_) => arrays.push(*id),
                _ => {}
            }
        }
        let scalars: HashMap<Id, usize> =
            needed.iter().filter(|id| graph.is_uniform(**id)).map(|id| (*id, self.scalar(run, *id))).collect();
        let program = Program::new(graph, &outputs, |id| {
            let input =
                |list: &[Id], first: usize| list.iter().position(|own| *own == id).map(|i| Operand::Input(first + i));
            match &graph.nodes()[id] {
                Node::Inverse(_) => input(&inverse, 0),
                Node::Array(_) => input(&arrays, inverse.len()),
                _ => scalars.get(&id).map(|s| Operand::Scalar(*s)),
            }
        });
        let registers = inverse.iter().filter_map(|id| run.values.get(id)).map(|r| (*r, self.is_narrow(*r))).collect();
        let arrays = arrays
            .iter()
            .filter_map(|id| if let Node::Array(i) = &graph.nodes()[*id] { Some(*i) } else { None })
            .collect();
        self.flush();
        self.phases.push(Phase::Rows(OnRows { inverse: registers, arrays, program, results }));
    }

    /// The phases, with places for registers; register `ends[i]` ends in place `i`. `None` where one of them is
    /// what another one began with.
    pub fn finish(mut self, ends: &[usize]) -> Option<Vec<Phase>> {
        if ends.iter().enumerate().any(|(place, end)| *end < self.pinned && *end != place) {
            return None;
        }
        self.flush();
        // A program that begins with what this one ends with looks at all columns.
        for phase in &mut self.phases {
            let Phase::Columns(ops) = phase else { continue };
            for op in ops {
                if let OnColumns::Sum { to, narrow, .. } = op {
                    *narrow &= !ends.contains(to);
                }
            }
        }
        let mut places = Places::new(&self.phases, self.narrow.len(), self.pinned, ends);
        let mut phases = self.phases;
        let mut at = 0;
        for phase in &mut phases {
            match phase {
                Phase::Columns(ops) => {
                    for op in ops {
                        places.on_columns(op, at);
                        at += 1;
                    }
                }
                Phase::Rows(pass) => {
                    pass.inverse.iter_mut().for_each(|(register, _)| *register = places.of(*register));
                    places.release(at);
                    at += 1;
                }
                _ => {}
            }
        }
        let mut moves = Vec::new();
        for (place, &end) in ends.iter().enumerate() {
            let own = places.of(end);
            if own != place {
                let narrow = self.narrow.get(end).copied().unwrap_or(false);
                let addend = Addend { register: own, table: None, weight: 1.0, scalar: None, narrow };
                moves.push(OnColumns::Sum { to: place, addends: vec![addend], narrow: false });
            }
        }
        if !moves.is_empty() {
            match phases.last_mut() {
                Some(Phase::Columns(ops)) => ops.extend(moves),
                _ => phases.push(Phase::Columns(moves)),
            }
        }
        self.shared.registers = self.shared.registers.max(places.count);
        Some(phases)
    }
}

/// What the evaluation of one kernel has found so far.
struct Run<'a> {
    graph: &'a Graph,
    waves: &'a Waves,
    states: &'a [usize],
    cotangents: &'a [usize],
    /// Places of numbers.
    scalars: HashMap<Id, usize>,
    /// Registers of what is brought to points.
    values: HashMap<Id, usize>,
    /// Registers of transforms.
    transforms: HashMap<Id, usize>,
}

/// When each node of a kernel is known.
struct Waves {
    /// In order.
    nodes: Vec<(Id, usize)>,
    by_node: HashMap<Id, usize>,
    /// Values at points that are transformed, and whether the columns that are cut are not wanted.
    transforms: Vec<(Id, bool)>,
    count: usize,
}

impl Waves {
    fn of(graph: &Graph, kernel: &Kernel) -> Self {
        let mut roots: Vec<Id> = kernel.spectra.iter().flat_map(|terms| behind(terms)).collect();
        roots.extend(kernel.points.iter().map(|(id, _)| *id));
        roots.extend(&kernel.numbers);
        let mut ids = cone_through(graph, &roots);
        ids.sort_unstable();
        let mut by_node: HashMap<Id, usize> = HashMap::new();
        let mut transforms: Vec<(Id, bool)> = Vec::new();
        let mut transform = |terms: &[Term]| {
            for term in terms {
                let Source::Transform(id) = term.source else { continue };
                match transforms.iter_mut().find(|(own, _)| *own == id) {
                    Some((_, narrow)) => *narrow &= term.operator.cut,
                    None => transforms.push((id, term.operator.cut)),
                }
            }
        };
        for &id in &ids {
            let of = |id: Id| by_node.get(&id).copied().unwrap_or(0);
            let wave = match &graph.nodes()[id] {
                Node::Inverse(terms) => {
                    transform(terms);
                    let after = |term: &Term| match term.source {
                        Source::Transform(id) => of(id) + 1,
                        _ => 0,
                    };
                    terms.iter().map(|term| after(term).max(term.factor.map_or(0, of))).max().unwrap_or(0)
                }
                Node::Sum(a) => of(*a) + 1,
                _ => graph.arguments(id).into_iter().map(of).max().unwrap_or(0),
            };
            by_node.insert(id, wave);
        }
        kernel.spectra.iter().for_each(|terms| transform(terms));
        let after = transforms.iter().map(|(id, _)| by_node.get(id).map_or(0, |w| w + 1)).max().unwrap_or(0);
        let count = by_node.values().copied().max().unwrap_or(0).max(after);
        Self { nodes: ids.iter().map(|id| (*id, by_node[id])).collect(), by_node, transforms, count }
    }
    fn wave(&self, id: Id) -> usize {
        self.by_node.get(&id).copied().unwrap_or(0)
    }
}

/// What is needed for `roots`, also behind transforms.
fn cone_through(graph: &Graph, roots: &[Id]) -> Vec<Id> {
    reached(roots, |id| graph.arguments(id), graph.nodes().len())
}
/// What is needed for `roots` at points: not what lies behind transforms and numbers.
fn cone(graph: &Graph, roots: &[Id]) -> Vec<Id> {
    let stops = |id: Id| graph.is_uniform(id) || matches!(graph.nodes()[id], Node::Inverse(_));
    let mut ids = reached(roots, |id| if stops(id) { Vec::new() } else { graph.arguments(id) }, graph.nodes().len());
    ids.sort_unstable();
    ids
}
fn reached(roots: &[Id], next: impl Fn(Id) -> Vec<Id>, count: usize) -> Vec<Id> {
    let (mut seen, mut out, mut waiting) = (vec![false; count], Vec::new(), roots.to_vec());
    while let Some(id) = waiting.pop() {
        if !std::mem::replace(&mut seen[id], true) {
            out.push(id);
            waiting.extend(next(id));
        }
    }
    out
}

/// Places of registers: each has one from its first to its last use.
struct Places {
    last: Vec<usize>,
    place: Vec<Option<usize>>,
    /// What wants to end in a pinned place.
    wanted: HashMap<usize, usize>,
    /// Registers that hold a place now.
    alive: Vec<usize>,
    free: Vec<usize>,
    count: usize,
}

impl Places {
    fn new(phases: &[Phase], registers: usize, pinned: usize, ends: &[usize]) -> Self {
        let mut last = vec![0; registers];
        let mut at = 0;
        for phase in phases {
            match phase {
                Phase::Columns(ops) => {
                    for op in ops {
                        uses(op).into_iter().for_each(|register| last[register] = at);
                        at += 1;
                    }
                }
                Phase::Rows(pass) => {
                    pass.inverse.iter().for_each(|(register, _)| last[*register] = at);
                    at += 1;
                }
                _ => {}
            }
        }
        ends.iter().for_each(|end| last[*end] = usize::MAX);
        // A place that keeps what it began with is not given away.
        let wanted = ends.iter().enumerate().map(|(place, end)| (*end, place)).collect();
        let place = (0..registers).map(|r| if r < pinned { Some(r) } else { None }).collect();
        Self { last, place, wanted, alive: Vec::new(), free: Vec::new(), count: pinned }
    }
    fn of(&self, register: usize) -> usize {
        self.place.get(register).copied().flatten().unwrap_or(0)
    }
    /// Gives back the places of what is used for the last time at `at`.
    fn release(&mut self, at: usize) {
        let Self { alive, free, last, place, .. } = self;
        alive.retain(|register| {
            let done = last[*register] <= at;
            if done {
                free.extend(place[*register]);
            }
            !done
        });
    }
    fn on_columns(&mut self, op: &mut OnColumns, at: usize) {
        match op {
            OnColumns::Sum { to, addends, .. } => {
                let register = *to;
                addends.iter_mut().for_each(|a| a.register = self.of(a.register));
                let place = match self.wanted.get(&register) {
                    // The pinned place, when what began there is used for the last time, and first, in this sum.
                    Some(&pinned)
                        if self.last[pinned] < at
                            || (self.last[pinned] == at
                                && addends.iter().filter(|a| a.register == pinned).count() == 1) =>
                    {
                        pinned
                    }
                    _ => self.take(register),
                };
                self.place[register] = Some(place);
                if let Some(first) = addends.iter().position(|a| a.register == place) {
                    addends.swap(0, first);
                }
                *to = place;
            }
            OnColumns::Forward { to, .. } => {
                let register = *to;
                *to = self.take(register);
                self.place[register] = Some(*to);
            }
            OnColumns::Inverse { register, .. } => *register = self.of(*register),
            OnColumns::Correlate { to, a, b, .. } => {
                (*to, *a, *b) = (self.of(*to), self.of(*a), self.of(*b));
            }
        }
        self.release(at);
    }
    fn take(&mut self, register: usize) -> usize {
        self.alive.push(register);
        self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        })
    }
}

/// Registers that an operation reads or writes.
fn uses(op: &OnColumns) -> Vec<usize> {
    match op {
        OnColumns::Sum { to, addends, .. } => addends.iter().map(|a| a.register).chain([*to]).collect(),
        OnColumns::Forward { to, .. } => vec![*to],
        OnColumns::Inverse { register, .. } => vec![*register],
        OnColumns::Correlate { to, a, b, .. } => vec![*to, *a, *b],
    }
}
