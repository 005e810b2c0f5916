//! Values as the protocol shows them.

use ansatz::display::{Rich, rich};
use ansatz::script::Host;
use ansatz::script::assist::last_character;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rhai::{Array, Dynamic};
use serde_json::{Value, json};

use crate::wire::Bundle;

/// Larger pictures are left out as SVG: every mark of a dense map is an element there.
const MOST_SVG: usize = 400_000;
/// Characters of a result.
const LONGEST_TEXT: usize = 100_000;
/// Elements of an array whose text is made: that of a million takes minutes.
const MOST_ELEMENTS: usize = 2000;

/// A value of a cell: text in quotes, a closure as such, the rest as richly as can be.
pub fn bundle(host: &Host, value: &Dynamic) -> Bundle {
    match value.clone().into_immutable_string() {
        Ok(text) => Bundle::text(shortened(format!("{:?}", text.as_str()))),
        Err(_) if value.is_fnptr() => Bundle::text("a closure"),
        Err(_) => of_rich(&rich(value, &shortened(text(host, value)))),
    }
}

/// The text of a value; of a long array that of its beginning.
fn text(host: &Host, value: &Dynamic) -> String {
    let start = value.read_lock::<Array>().filter(|array| array.len() > MOST_ELEMENTS).map(|array| {
        let start: Array = array.iter().take(MOST_ELEMENTS).cloned().collect();
        (start, array.len() - MOST_ELEMENTS)
    });
    let Some((start, more)) = start else { return host.show(value) };
    let text = host.show(&start.into());
    format!("{}, … and {more} more]", text.strip_suffix(']').unwrap_or(&text))
}

/// A browser stands still over a text of megabytes; `print` writes one all the same.
fn shortened(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(LONGEST_TEXT) {
        let more = text.len() - at;
        text.truncate(at);
        text.push_str(&format!("… and {more} bytes more"));
    }
    text
}

/// The forms by their media types.
pub fn of_rich(rich: &Rich) -> Bundle {
    let mut bundle = Bundle::text(rich.text.clone());
    let mut put = |kind: &str, content: Option<String>| {
        if let Some(content) = content {
            bundle.data.insert(kind.to_string(), Value::String(content));
        }
    };
    put("text/html", rich.html.clone());
    put("text/latex", rich.latex.clone());
    put("image/png", rich.png.as_ref().map(|png| STANDARD.encode(png)));
    put("image/gif", rich.gif.as_ref().map(|gif| STANDARD.encode(gif)));
    put("image/svg+xml", rich.svg.clone().filter(|svg| svg.len() <= MOST_SVG));
    if let Some(width) = rich.width {
        for kind in ["image/png", "image/gif"].into_iter().filter(|kind| bundle.data.contains_key(*kind)) {
            bundle.metadata.insert(kind.to_string(), json!({ "width": width }));
        }
    }
    bundle
}

/// Whether a cell ends with a semicolon: its value is then not shown.
pub fn is_muted(code: &str) -> bool {
    last_character(code) == Some(';')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_mutes() {
        assert!(is_muted("f(x);"));
        assert!(is_muted("f(x); // why\n\n// end"));
        assert!(is_muted("f(\"http://a\");"));
        assert!(is_muted("f(x); /* why\n */"));
        assert!(is_muted("f('\"'); // \""));
        assert!(!is_muted("f(\"a;//\")"));
        assert!(!is_muted("f(x)"));
        assert!(!is_muted("let a = 1;\na"));
    }

    #[test]
    fn long_texts_are_shortened() {
        assert_eq!(shortened("é".into()), "é");
        let text = shortened("é".repeat(LONGEST_TEXT + 3));
        assert!(text.ends_with("é… and 6 bytes more") && text.chars().count() < LONGEST_TEXT + 30);
    }

    #[test]
    fn of_a_long_array_the_beginning_is_shown() {
        use ansatz::session::{Options, Session};
        let _guard = crate::worker::interrupts::alone();
        let mut host = Host::new(Session::new(Options::default()));
        let value = host.evaluate("cell", "let a = []; a.pad(50_000, 7); a").unwrap();
        let text = bundle(&host, &value).data["text/plain"].as_str().unwrap_or_default().to_string();
        assert!(text.starts_with("[7, 7, ") && text.ends_with(", 7, … and 48000 more]"), "{text}");
        assert_eq!(text.matches('7').count(), MOST_ELEMENTS);
    }

    #[test]
    fn pictures_are_letters_and_have_a_width() {
        let bundle = of_rich(&Rich { png: Some(vec![0, 1, 2]), width: Some(640), ..Rich::plain("Figure") });
        assert_eq!(bundle.data["image/png"], "AAEC");
        assert_eq!(bundle.metadata["image/png"]["width"], 640);
    }
}
