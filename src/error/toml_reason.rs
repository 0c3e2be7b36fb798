//! What is wrong with a TOML file, without the drawing of the text that the parser adds.

/// The parser's words and the line that they are about, counted from 1.
pub fn toml_reason(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else { return message.into() };
    format!("line {}: {message}", 1 + before.matches('\n').count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_named_and_the_text_is_not_drawn() {
        let text = "a = 1\n\nb = = 2\n";
        let reason = toml_reason(text, &toml::from_str::<toml::Table>(text).unwrap_err());
        assert!(reason.starts_with("line 3: ") && !reason.contains(['|', '^']), "{reason}");
    }
}
