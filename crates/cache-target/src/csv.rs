//! One CSV record, as BuildKit's tools read it: fields between commas, with Go's strict rules of quoting.
//!
//! It knows nothing of keys and values. A line break is part of its field, except at the end of the text.

/// The reason why a text is no CSV record, with the column in characters, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CsvError {
    /// A quote in a field that does not begin with one.
    Inside(usize),
    /// A character other than a comma after a closing quote.
    After(usize),
    /// A quote that is never closed.
    Open(usize),
}

impl CsvError {
    /// The message for the user: what is wrong, where, and what to write instead.
    pub(crate) fn explain(self) -> String {
        match self {
            Self::Inside(at) => {
                format!(
                    "the quote at column {at} is inside of a field: quote the whole field, as in \"dest=a,b\""
                )
            }
            Self::After(at) => {
                format!(
                    "there is text after the closing quote at column {at}: a quote within quotes is written twice"
                )
            }
            Self::Open(at) => format!("the quote at column {at} is never closed"),
        }
    }
}

/// The fields of a record. An empty line has none.
pub(crate) fn fields(line: &str) -> Result<Vec<String>, CsvError> {
    let line = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
    let mut fields = Vec::new();
    if line.is_empty() {
        return Ok(fields);
    }
    let mut rest = Rest { text: line, column: 1 };
    loop {
        let (field, more) = if rest.text.starts_with('"') { rest.quoted()? } else { rest.plain()? };
        fields.push(field);
        if !more {
            return Ok(fields);
        }
    }
}

/// A field in the form that it needs in a record: quoted if necessary.
pub(crate) fn quote(field: &str) -> String {
    if field.is_empty() || field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// The part of the text that has not been read yet.
struct Rest<'a> {
    text: &'a str,
    column: usize,
}

impl Rest<'_> {
    /// Reads up to the next comma. The flag says whether there was one.
    fn plain(&mut self) -> Result<(String, bool), CsvError> {
        let (field, rest) = match self.text.split_once(',') {
            Some((field, rest)) => (field, Some(rest)),
            None => (self.text, None),
        };
        if let Some((before, _)) = field.split_once('"') {
            return Err(CsvError::Inside(self.column + before.chars().count()));
        }
        self.column += field.chars().count() + 1;
        self.text = rest.unwrap_or_default();
        Ok((field.to_owned(), rest.is_some()))
    }

    /// Reads a quoted field and the comma behind it. The flag says whether there was one.
    fn quoted(&mut self) -> Result<(String, bool), CsvError> {
        let opened = self.column;
        let mut field = String::new();
        let mut chars = self.text.chars();
        chars.next();
        let mut column = opened;
        loop {
            column += 1;
            match chars.next() {
                None => return Err(CsvError::Open(opened)),
                Some('"') => {}
                Some(other) => {
                    field.push(other);
                    continue;
                }
            }
            let closed = column;
            column += 1;
            match chars.next() {
                Some('"') => field.push('"'),
                Some(',') => {
                    self.text = chars.as_str();
                    self.column = column + 1;
                    return Ok((field, true));
                }
                None => return Ok((field, false)),
                Some(_) => return Err(CsvError::After(closed)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(line: &str, expected: Result<&[&str], CsvError>) {
        let expected = expected.map(|fields| fields.iter().map(|field| (*field).to_owned()).collect());
        assert_eq!(fields(line), expected, "{line:?}");
    }

    #[test]
    fn fields_are_split_at_commas_outside_of_quotes() {
        check("", Ok(&[]));
        check("\n", Ok(&[]));
        check("a", Ok(&["a"]));
        check("a\r\n", Ok(&["a"]));
        check("a\nb", Ok(&["a\nb"]));
        check(",", Ok(&["", ""]));
        check("a,,b ", Ok(&["a", "", "b "]));
        check(r#""a,b",c"#, Ok(&["a,b", "c"]));
        check(r#""a""b""#, Ok(&["a\"b"]));
        check(r#""","#, Ok(&["", ""]));
        check("\"é,☃\",ü", Ok(&["é,☃", "ü"]));
    }

    #[test]
    fn a_misplaced_quote_is_an_error_that_says_where() {
        check(r#"a=1,b="c""#, Err(CsvError::Inside(7)));
        check(r#" "a""#, Err(CsvError::Inside(2)));
        check(r#"é,"ü"x"#, Err(CsvError::After(5)));
        check(r#""a" ,b"#, Err(CsvError::After(3)));
        check(r#"a,"b"#, Err(CsvError::Open(3)));
        check(r#"""#, Err(CsvError::Open(1)));
        check(r#""a"""#, Err(CsvError::Open(1)));
    }

    proptest! {
        /// Law: fields that are quoted and joined with commas come back as they were.
        #[test]
        fn quoted_fields_come_back(values in prop::collection::vec("[a,\"\n\r é=]{0,6}", 1..5)) {
            let line = values.iter().map(|value| quote(value)).collect::<Vec<_>>().join(",");
            prop_assert_eq!(fields(&line), Ok(values));
        }

        /// Law: any line gives fields or an error.
        #[test]
        fn no_line_panics(line in "[\",\nab\u{e9}]{0,24}") {
            let _ = fields(&line);
        }
    }
}
