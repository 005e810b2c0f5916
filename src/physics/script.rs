//! `physics::name(#{ … })` in scripts, made from the catalogue.

use std::sync::LazyLock;

use super::{Named, catalogue};
use crate::script::registry::{Entry, entry};

/// What the reference shows of an equation.
struct Page {
    named: &'static Named,
    signature: String,
    text: String,
    options: Vec<(&'static str, String)>,
    source: String,
    example: String,
}

/// Made once, so that entries can refer to it.
static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| catalogue().map(page).collect());

fn page(named: &'static Named) -> Page {
    let arguments = if named.parameters.is_empty() { "" } else { "[options]" };
    let option = |&(name, value, text): &(&'static str, &str, &str)| {
        (name, if text.is_empty() { format!("({value})") } else { format!("{text} ({value})") })
    };
    Page {
        named,
        signature: format!("physics::{}({arguments})", named.name),
        text: [named.formula, named.text].join("\n").trim_end().to_string(),
        options: named.parameters.iter().map(option).collect(),
        source: format!("// the source, with its own values\n{}", named.script()),
        example: format!("// in use\n{}", named.example),
    }
}

pub(crate) fn entries() -> Vec<Entry> {
    let of = |page: &'static Page| {
        let named = page.named;
        let entry = entry(&page.signature).brief(named.brief).text(&page.text);
        let entry = page.options.iter().fold(entry, |entry, (name, text)| entry.option(name, text));
        entry.example(&page.source, "").example(&page.example, "").run(|c| named.evaluate(c))
    };
    PAGES.iter().map(of).collect()
}
