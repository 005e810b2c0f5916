//! Parts of pages.

/// Text with the signs of HTML replaced.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// More rows than this are left to files.
const MOST_ROWS: usize = 500;

/// A table: numbers to the right, words to the left.
pub fn table(title: &str, header: &[String], rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).chain([header.len()]).max().unwrap_or(0);
    let cell = |row: &[String], at: usize| row.get(at).map_or(String::new(), |text| escaped(text));
    let numeric = |text: &str| text.is_empty() || text == "–" || text.parse::<f64>().is_ok();
    let sides: Vec<&str> = (0..columns)
        .map(|at| if rows.iter().all(|r| r.get(at).is_none_or(|text| numeric(text))) { "right" } else { "left" })
        .collect();
    let line = |tag: &str, row: &[String]| -> String {
        let cells = sides.iter().enumerate();
        let cells: String =
            cells.map(|(at, side)| format!("<{tag} style=\"text-align:{side}\">{}</{tag}>", cell(row, at))).collect();
        format!("<tr>{cells}</tr>")
    };
    let mut out = String::from("<table>");
    if !title.is_empty() {
        out += &format!("<caption style=\"text-align:left\"><b>{}</b></caption>", escaped(title));
    }
    if header.iter().any(|h| !h.is_empty()) {
        out += &format!("<thead>{}</thead>", line("th", header));
    }
    let body: String = rows.iter().take(MOST_ROWS).map(|row| line("td", row)).collect();
    out += &format!("<tbody>{body}</tbody></table>");
    if rows.len() > MOST_ROWS {
        out += &format!("<p>… and {} rows more</p>", rows.len() - MOST_ROWS);
    }
    out
}

/// A line of facts, and a small picture below it.
pub(super) fn card(facts: &str, png: Option<&[u8]>, width: u32) -> String {
    let picture = png.map_or(String::new(), |png| format!("<br>{}", image("png", png, width)));
    format!("<div>{facts}{picture}</div>")
}

/// A picture, `png` or `gif`, so wide on the page.
pub(super) fn image(kind: &str, bytes: &[u8], width: u32) -> String {
    format!("<img alt=\"\" width=\"{width}\" src=\"data:image/{kind};base64,{}\">", base64(bytes))
}

/// Bytes in the 64 letters of RFC 4648.
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0u32, |n, &b| n << 8 | u32::from(b)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = LETTERS.get((number >> (18 - 6 * place) & 63) as usize).copied().unwrap_or(b'=');
            out.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}
