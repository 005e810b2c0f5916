//! One entry per primitive: name, parameters, text, options, executed examples, and the code. The engine, `ansatz doc`,
//! completion, suggestions in errors and the tests are all made from this table; there is no second list.

use std::rc::Rc;

use rhai::Dynamic;

use super::call::Call;
use crate::error::Result;

/// A parameter of a primitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The name that documentation and errors use.
    pub name: String,
    /// Whether it may be left out.
    pub optional: bool,
}

/// An option of a primitive's last argument, `#{ name: value }`.
#[derive(Debug, Clone)]
pub struct OptionText {
    /// The key.
    pub name: &'static str,
    /// What it means, with its default.
    pub text: &'static str,
}

/// A line of script and the compact form of its result; both are run by a test.
#[derive(Debug, Clone)]
pub struct Example {
    /// The script.
    pub code: &'static str,
    /// What it gives, in the form of [`compact`](super::value::compact); empty when only running it matters.
    pub result: &'static str,
}

/// How a primitive is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `name(a, b)`, also `a.name(b)` when the name has no namespace.
    Function,
    /// `a.name`
    Property,
    /// `a op b`, or `op a`
    Operator,
    /// `a[b]`
    Index,
    /// A constant.
    Constant,
}

/// What a primitive does.
pub type Code = Rc<dyn Fn(&mut Call) -> Result<Dynamic>>;

/// A primitive.
#[derive(Clone)]
pub struct Entry {
    /// Namespace with its `::`, or nothing.
    pub namespace: &'static str,
    /// The name without namespace.
    pub name: &'static str,
    /// The signature as documentation shows it.
    pub signature: &'static str,
    /// Parameters in order.
    pub parameters: Vec<Parameter>,
    /// How it is called.
    pub form: Form,
    /// One line.
    pub brief: &'static str,
    /// Formula, shapes, units, how it fails, source.
    pub text: &'static str,
    /// The keys of the option map.
    pub options: Vec<OptionText>,
    /// Whether there are options beside these that only the call knows, such as parameters of an equation.
    pub further_options: bool,
    /// Executed examples.
    pub examples: Vec<Example>,
    /// The chapter of the reference it belongs to.
    pub chapter: &'static str,
    /// What it does.
    pub code: Code,
    /// What it does when an argument is a symbol of an equation, where that is something else.
    pub symbolic: Option<Code>,
}

impl Entry {
    /// The name with its namespace.
    pub fn full_name(&self) -> String {
        format!("{}{}", self.namespace, self.name)
    }
    /// The least and the most arguments.
    pub fn arity(&self) -> (usize, usize) {
        (self.parameters.iter().filter(|p| !p.optional).count(), self.parameters.len())
    }
    /// Adds the line that says what it does.
    pub fn brief(mut self, brief: &'static str) -> Self {
        self.brief = brief;
        self
    }
    /// Adds the longer text.
    pub fn text(mut self, text: &'static str) -> Self {
        self.text = text;
        self
    }
    /// Adds an option of the last argument.
    pub fn option(mut self, name: &'static str, text: &'static str) -> Self {
        self.options.push(OptionText { name, text });
        self
    }
    /// Says that the option map has keys which only the call knows: they are checked when it runs.
    pub fn further_options(mut self) -> Self {
        self.further_options = true;
        self
    }
    /// Adds an example with its result.
    pub fn example(mut self, code: &'static str, result: &'static str) -> Self {
        self.examples.push(Example { code, result });
        self
    }
    /// Sets what it does.
    pub fn run(mut self, code: impl Fn(&mut Call) -> Result<Dynamic> + 'static) -> Self {
        self.code = Rc::new(code);
        self
    }
    fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }
    /// Names of the options.
    pub fn option_names(&self) -> Vec<&'static str> {
        self.options.iter().map(|o| o.name).collect()
    }
}

/// A function: `entry("random::normal(shape, [options])")`; brackets mark what may be left out.
pub fn entry(signature: &'static str) -> Entry {
    let (path, parameters) = match signature.split_once('(') {
        Some((path, rest)) => (path, rest.trim_end_matches(')')),
        None => (signature, ""),
    };
    let (namespace, name) = match path.rfind("::") {
        Some(at) => path.split_at(at + 2),
        None => ("", path),
    };
    let parameters = parameters
        .split(',')
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .map(|p| Parameter { name: p.trim_matches(['[', ']']).to_string(), optional: p.starts_with('[') })
        .collect();
    Entry {
        namespace,
        name,
        signature,
        parameters,
        form: Form::Function,
        brief: "",
        text: "",
        options: Vec::new(),
        further_options: false,
        examples: Vec::new(),
        chapter: "",
        code: Rc::new(|_| Ok(Dynamic::UNIT)),
        symbolic: None,
    }
}

/// A property `value.name` of the types in `of`: `property("field.values", "values")`.
pub fn property(signature: &'static str) -> Entry {
    let name = signature.rsplit('.').next().unwrap_or(signature);
    let mut entry = entry(signature).form(Form::Property);
    entry.name = name;
    entry.parameters = vec![Parameter { name: "value".into(), optional: false }];
    entry
}

/// A binary or unary operator: `operator("a + b")`.
pub fn operator(signature: &'static str) -> Entry {
    let words: Vec<&'static str> = signature.split(' ').collect();
    let mut entry = entry(signature).form(Form::Operator);
    entry.name = words.iter().find(|w| !w.chars().all(char::is_alphanumeric)).copied().unwrap_or(signature);
    entry.parameters = words
        .iter()
        .filter(|w| w.chars().all(char::is_alphanumeric))
        .map(|w| Parameter { name: w.to_string(), optional: false })
        .collect();
    entry
}

/// Indexing `value[at]`.
pub fn index(signature: &'static str) -> Entry {
    let mut entry = entry(signature).form(Form::Index);
    entry.name = "[]";
    entry.parameters = ["value", "index"].map(|n| Parameter { name: n.into(), optional: false }).to_vec();
    entry
}

/// A constant such as `PI`.
pub fn constant(name: &'static str) -> Entry {
    entry(name).form(Form::Constant)
}

/// All primitives, chapter by chapter.
pub struct Registry {
    entries: Vec<Entry>,
}

impl Registry {
    /// Collects the tables of all domains.
    pub fn new() -> Self {
        let mut entries = Vec::new();
        for (chapter, table) in super::tables() {
            entries.extend(table.into_iter().map(|e| Entry { chapter, ..e }));
        }
        for (name, meaning) in crate::equation::script::meanings() {
            for entry in entries.iter_mut().filter(|e| e.full_name() == name) {
                entry.symbolic = Some(meaning.clone());
            }
        }
        Self { entries }
    }
    /// Adds an entry; one of the same name is replaced.
    pub(super) fn put(&mut self, entry: Entry) {
        self.entries.retain(|e| e.full_name() != entry.full_name() || e.form != entry.form);
        self.entries.push(entry);
    }
    /// Every entry.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
    /// Entries by full name, or by name without namespace.
    pub fn find(&self, name: &str) -> Vec<&Entry> {
        let exact: Vec<&Entry> = self.entries.iter().filter(|e| e.full_name() == name).collect();
        if exact.is_empty() { self.entries.iter().filter(|e| e.name == name).collect() } else { exact }
    }
    /// The known names nearest to a misspelt one, best first.
    pub fn nearest(&self, name: &str) -> Vec<String> {
        nearest(name, self.entries.iter().map(Entry::full_name))
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

/// The candidates nearest to a misspelt name, best first, at most three; none that is too far to be meant.
pub fn nearest(name: &str, candidates: impl IntoIterator<Item = String>) -> Vec<String> {
    let bare = |s: &str| s.rsplit("::").next().unwrap_or(s).to_lowercase();
    let wanted = bare(name);
    let mut scored: Vec<(f64, String)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let (other, full) =
                (bare(&candidate), strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()));
            let score = strsim::jaro_winkler(&wanted, &other).max(full);
            let distance = strsim::damerau_levenshtein(&wanted, &other);
            // Among names of one or two letters every one is near to every other.
            let near = if wanted.len() < 3 { distance == 0 } else { score > 0.82 || distance <= 1 + wanted.len() / 6 };
            near.then_some((score, candidate))
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}
