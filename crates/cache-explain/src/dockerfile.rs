//! The instructions of a Dockerfile: where they stand, their texts, and which of them declares a variable.
//!
//! It reads just that (Dockerfile reference: parser directives, line continuation, here-documents) and takes any text. What no
//! builder would accept gives instructions that no step names.

use std::ops::Range;

/// The instructions of a Dockerfile in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dockerfile {
    instructions: Vec<Instruction>,
}

/// One instruction. Lines are numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) first_line: usize,
    pub(crate) last_line: usize,
    /// In capitals.
    pub(crate) keyword: String,
    /// All lines on one line with single spaces: without comments, with here-documents.
    pub(crate) text: String,
    /// What follows the keyword, without here-documents and with its spaces.
    arguments: String,
}

/// The instruction that gives a variable its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declaration {
    /// ARG, in this line.
    Arg(usize),
    /// ENV, in this line.
    Env(usize),
}

/// A document that follows an instruction: the line that ends it, and whether tabs in front of that line do not count.
struct HereDocument {
    end: String,
    is_indented: bool,
}

/// The lines of a text, with their numbers.
struct NumberedLines<'t> {
    lines: std::iter::Enumerate<std::str::Split<'t, char>>,
}

impl Dockerfile {
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        let escape = escape_character(text);
        let mut lines = NumberedLines { lines: text.split('\n').enumerate() };
        let mut instructions = Vec::new();
        while let Some((number, line)) = lines.next() {
            if !is_skipped(line) {
                instructions.push(Instruction::parse(number, line, &mut lines, escape));
            }
        }
        Self { instructions }
    }

    /// The instruction that has this line.
    pub(crate) fn at(&self, line: usize) -> Option<&Instruction> {
        self.instructions.get(self.position(line)?)
    }

    /// The instruction that gives a variable its value in the instruction at a line: of the same stage, or of the stages on
    /// which it stands. An ENV counts before an ARG, and the nearest of each.
    pub(crate) fn declaration(&self, line: usize, name: &str) -> Option<Declaration> {
        let mut end = self.position(line)?;
        let mut arg = None;
        while let Some(from) = self.stage_before(end) {
            for instruction in self.instructions.get(from..end)?.iter().rev() {
                match instruction.keyword.as_str() {
                    "ENV" if instruction.declares(name) => {
                        return Some(Declaration::Env(instruction.first_line));
                    }
                    "ARG" if instruction.declares(name) => arg = arg.or(Some(instruction.first_line)),
                    _ => {}
                }
            }
            let Some(base) = self.base_stage(from) else { break };
            end = base.end;
        }
        arg.map(Declaration::Arg)
    }

    /// The instructions in front of the first FROM, and those of each stage.
    pub(crate) fn stages(&self) -> Vec<&[Instruction]> {
        let mut rest = self.instructions.as_slice();
        let mut stages = Vec::new();
        loop {
            let skipped = usize::from(!stages.is_empty());
            let next = rest.iter().skip(skipped).position(|instruction| instruction.keyword == "FROM");
            let (stage, others) = rest.split_at(next.map_or(rest.len(), |at| at + skipped));
            stages.push(stage);
            if others.is_empty() {
                return stages;
            }
            rest = others;
        }
    }

    /// A text with the same keywords in the same lines, without any value: FROM keeps its names, ARG and ENV those of their
    /// variables. An instruction that uses variables has a `$`.
    pub(crate) fn without_values(&self) -> String {
        let mut text = String::new();
        let mut line = 1;
        for instruction in &self.instructions {
            while line < instruction.first_line {
                text.push('\n');
                line += 1;
            }
            text.push_str(&instruction.without_values());
        }
        text
    }

    /// Whether a WORKDIR or USER names a variable.
    pub(crate) fn inherits_variables(&self) -> bool {
        let inherited = |instruction: &&Instruction| matches!(&*instruction.keyword, "WORKDIR" | "USER");
        self.instructions.iter().filter(inherited).any(|instruction| instruction.text.contains('$'))
    }

    fn position(&self, line: usize) -> Option<usize> {
        let after = self.instructions.partition_point(|instruction| instruction.first_line <= line);
        let position = after.checked_sub(1)?;
        self.instructions.get(position).is_some_and(|found| line <= found.last_line).then_some(position)
    }

    fn stage_before(&self, end: usize) -> Option<usize> {
        self.instructions.get(..end)?.iter().rposition(|instruction| instruction.keyword == "FROM")
    }

    /// The instructions of the earlier stage on which the stage of this FROM stands.
    fn base_stage(&self, from: usize) -> Option<Range<usize>> {
        let (base, _) = self.instructions.get(from)?.stage_names();
        let base = base?;
        let is_base = |instruction: &Instruction| {
            instruction.keyword == "FROM"
                && instruction.stage_names().1.is_some_and(|name| name.eq_ignore_ascii_case(base))
        };
        let start = self.instructions.get(..from)?.iter().rposition(is_base)?;
        let after = self.instructions.get(start + 1..)?;
        let length = after.iter().position(|instruction| instruction.keyword == "FROM")?;
        Some(start..start + 1 + length)
    }
}

impl Instruction {
    fn parse(number: usize, first: &str, lines: &mut NumberedLines<'_>, escape: char) -> Self {
        let mut last_line = number;
        let mut joined = String::new();
        let mut line = first;
        while let Some(part) = continued(line, escape) {
            joined.push_str(part);
            let Some((number, next)) = lines.find(|(_, line)| !is_skipped(line)) else {
                line = "";
                break;
            };
            (last_line, line) = (number, next);
        }
        joined.push_str(line);

        let joined = joined.trim();
        let (keyword, arguments) = joined.split_once(char::is_whitespace).unwrap_or((joined, ""));
        let keyword = keyword.to_ascii_uppercase();
        let arguments = arguments.trim().to_owned();
        let mut text = joined.to_owned();
        for document in here_documents(&keyword, &arguments, escape) {
            for (number, line) in lines.by_ref() {
                last_line = number;
                text.push(' ');
                text.push_str(line);
                if document.ends_with(line) {
                    break;
                }
            }
        }
        Self { first_line: number, last_line, keyword, text: single_spaced(&text), arguments }
    }

    /// Whether this ARG or ENV is about a variable.
    fn declares(&self, name: &str) -> bool {
        self.variables().contains(&name)
    }

    /// The names of the variables of this ARG or ENV.
    fn variables(&self) -> Vec<&str> {
        let words = shell_words(&self.arguments, '\\');
        // `ENV NAME some text` names one variable.
        let is_old_form = self.keyword == "ENV" && words.first().is_some_and(|word| !word.contains('='));
        let names = if is_old_form { 1 } else { words.len() };
        words.into_iter().take(names).map(|word| word.split('=').next().unwrap_or(word)).collect()
    }

    fn without_values(&self) -> String {
        let keyword = &self.keyword;
        let rest = match keyword.as_str() {
            "FROM" => {
                let (base, name) = self.stage_names();
                let name = name.map(|name| format!("AS {name}"));
                [base.map(str::to_owned), name].into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
            "ARG" => self.variables().join(" "),
            "ENV" => self.variables().iter().map(|name| format!("{name}=")).collect::<Vec<_>>().join(" "),
            _ if self.text.contains('$') => "$".to_owned(),
            _ => String::new(),
        };
        format!("{keyword} {rest}").trim_end().to_owned()
    }

    /// The stages, by name or number, and the images from which the instruction takes files.
    pub(crate) fn takes_from(&self) -> impl Iterator<Item = &str> {
        let base = (self.keyword == "FROM").then(|| self.stage_names().0).flatten();
        let words = self.arguments.split(|char: char| char.is_whitespace() || char == ',');
        let words = words.map(|word| word.trim_start_matches("--mount=").trim_start_matches("--"));
        let named = words.filter_map(|word| word.strip_prefix("from="));
        base.into_iter().chain(named.map(|name| name.trim_matches(['"', '\''])))
    }

    /// Of a FROM, the image or stage below, and the name that it gives.
    pub(crate) fn stage_names(&self) -> (Option<&str>, Option<&str>) {
        let mut words = self.arguments.split_whitespace().skip_while(|word| word.starts_with("--"));
        let base = words.next();
        let is_named = words.next().is_some_and(|word| word.eq_ignore_ascii_case("as"));
        (base, words.next().filter(|_| is_named))
    }
}

impl HereDocument {
    fn ends_with(&self, line: &str) -> bool {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let line = if self.is_indented { line.trim_start_matches('\t') } else { line };
        line == self.end
    }
}

impl<'t> Iterator for NumberedLines<'t> {
    type Item = (usize, &'t str);

    fn next(&mut self) -> Option<Self::Item> {
        self.lines.next().map(|(position, line)| (position + 1, line))
    }
}

/// The text of some lines on one line with single spaces, for sources in other languages.
pub(crate) fn lines_on_one(text: &str, first: usize, last: usize) -> String {
    let lines = text.split('\n').skip(first.saturating_sub(1));
    let lines: Vec<&str> = lines.take(last.saturating_sub(first).saturating_add(1)).collect();
    single_spaced(&lines.join(" "))
}

fn single_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The character that continues a line: that of the `escape` directive, which stands above everything but other directives.
fn escape_character(text: &str) -> char {
    let directives = text.split('\n').map_while(|line| {
        let (name, value) = line.trim().strip_prefix('#')?.split_once('=')?;
        let name = name.trim();
        let is_name = name.chars().all(|char| char.is_ascii_alphanumeric()) && !name.is_empty();
        is_name.then(|| (name.to_ascii_lowercase(), value.trim()))
    });
    let escape = directives.filter(|(name, _)| name == "escape").find_map(|(_, value)| value.chars().next());
    escape.unwrap_or('\\')
}

/// Whether a line is empty or a comment. Such lines are skipped between the lines of an instruction, too.
fn is_skipped(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// The part of a line before the character that continues it on the next line. An escaped one does not.
fn continued(line: &str, escape: char) -> Option<&str> {
    let part = line.trim_end().strip_suffix(escape)?;
    (!part.ends_with(escape)).then_some(part)
}

/// The documents that follow an instruction, in their order.
fn here_documents(keyword: &str, arguments: &str, escape: char) -> Vec<HereDocument> {
    let has_documents = |keyword: &str| matches!(keyword, "RUN" | "COPY" | "ADD");
    let inner = arguments.split_whitespace().next().unwrap_or("").to_ascii_uppercase();
    if !(has_documents(keyword) || keyword == "ONBUILD" && has_documents(&inner)) {
        return Vec::new();
    }
    shell_words(arguments, escape).into_iter().filter_map(here_document).collect()
}

/// The document of a word such as `<<EOF`, `<<-"EOF"` or `3<<EOF`.
fn here_document(word: &str) -> Option<HereDocument> {
    let rest = word.trim_start_matches(|char: char| char.is_ascii_digit()).strip_prefix("<<")?;
    let (is_indented, end) = rest.strip_prefix('-').map_or((false, rest), |end| (true, end));
    let end: String = end.chars().filter(|char| !matches!(char, '"' | '\'' | '\\')).collect();
    (!end.is_empty() && !end.contains('<')).then_some(HereDocument { end, is_indented })
}

/// Words as a shell splits them. Quotes and escapes stay in them.
fn shell_words(text: &str, escape: char) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut quote, mut is_escaped) = (None, None, false);
    for (position, char) in text.char_indices() {
        if char.is_whitespace() && quote.is_none() && !is_escaped {
            words.extend(start.take().and_then(|start: usize| text.get(start..position)));
            continue;
        }
        start.get_or_insert(position);
        match quote {
            _ if is_escaped => is_escaped = false,
            // Nothing is escaped within single quotes.
            Some('\'') if char != '\'' => {}
            Some(open) if char == open => quote = None,
            _ if char == escape => is_escaped = true,
            None if matches!(char, '"' | '\'') => quote = Some(char),
            _ => {}
        }
    }
    words.extend(start.and_then(|start| text.get(start..)));
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use super::*;

    const STAGES: &str = "\
# syntax=docker/dockerfile:1
ARG BASE=1
FROM tiny AS tools
ENV CGO=0 \\
    # a comment
    LANG=\"a b=c\" MODE='x y'
ARG MODE

FROM --platform=linux/arm64 Tools as gen
ARG MODE=fast VERSION
RUN make
ENV PORT the text MODE=5
RUN run
FROM other
ARG PORT=1
RUN last
";

    #[track_caller]
    fn check(text: &str, expected: &[(usize, usize, &str)]) {
        let found = Dockerfile::parse(text);
        let found: Vec<_> =
            found.instructions.iter().map(|i| (i.first_line, i.last_line, &*i.text)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn continued_lines_are_one_instruction_without_the_comments_between() {
        let text = "FROM  a  as\tb\nRUN one \\  \n # not this\n\n  && two \\\n\nCMD x\n#end\n";
        check(text, &[(1, 1, "FROM a as b"), (2, 7, "RUN one && two CMD x")]);
        check("RUN one \\\n  two\r\nCMD x", &[(1, 2, "RUN one two"), (3, 3, "CMD x")]);
        check("RUN a \\\\\nRUN b \\", &[(1, 1, "RUN a \\\\"), (2, 2, "RUN b")]);
    }

    #[test]
    fn the_escape_directive_says_what_continues_a_line() {
        check("# escape=`\nRUN a `\n b\nRUN c\\\n", &[(2, 3, "RUN a b"), (4, 4, "RUN c\\")]);
        check("\u{feff}FROM a", &[(1, 1, "FROM a")]);
        check("\u{feff}# a comment\n# escape=`\nRUN a\\\nb", &[(3, 4, "RUN ab")]);
    }

    #[test]
    fn here_documents_belong_to_their_instruction() {
        let text = "COPY <<EOF <<-\"RAW\" here/\n# text\\\n\nEOF\n\traw $A\n\tRAW\nRUN 3<<'A' cat\nFROM x\nA\nUSER a";
        let expected = [
            (1, 6, "COPY <<EOF <<-\"RAW\" here/ # text\\ EOF raw $A RAW"),
            (7, 9, "RUN 3<<'A' cat FROM x A"),
            (10, 10, "USER a"),
        ];
        check(text, &expected);
        check(
            "ONBUILD RUN <<A\nx\nA\nENV A=<<B\nB",
            &[(1, 3, "ONBUILD RUN <<A x A"), (4, 4, "ENV A=<<B"), (5, 5, "B")],
        );
        check("RUN echo \"1 <<A\" <<<B\nENV x", &[(1, 1, "RUN echo \"1 <<A\" <<<B"), (2, 2, "ENV x")]);
        check("RUN <<A\nnever ends", &[(1, 2, "RUN <<A never ends")]);
    }

    #[test]
    fn a_line_inside_an_instruction_finds_it() {
        let file = Dockerfile::parse(STAGES);
        assert_eq!(file.at(6).unwrap().keyword, "ENV");
        assert_eq!(file.at(8), None);
        assert_eq!(file.at(0), None);
        assert_eq!(file.at(100), None);
    }

    #[test]
    fn a_variable_is_declared_in_the_stage_or_in_those_below_it() {
        let file = Dockerfile::parse(STAGES);
        let run = |name| file.declaration(11, name);
        assert_eq!(run("CGO"), Some(Declaration::Env(4)));
        assert_eq!(run("MODE"), Some(Declaration::Env(4)), "ENV counts before a nearer ARG");
        assert_eq!(run("VERSION"), Some(Declaration::Arg(10)));
        assert_eq!(run("PORT"), None, "it is declared later");
        assert_eq!(run("BASE"), None, "an ARG above the stages is not seen in them");
        assert_eq!(file.declaration(13, "PORT"), Some(Declaration::Env(12)));
        assert_eq!(file.declaration(13, "the"), None);
        assert_eq!(file.declaration(16, "CGO"), None);
        assert_eq!(file.declaration(16, "PORT"), Some(Declaration::Arg(15)));
        assert_eq!(file.declaration(99, "PORT"), None);
    }

    #[test]
    fn other_languages_give_their_lines() {
        assert_eq!(lines_on_one("a\n b  c\nd\n", 2, 3), "b c d");
        assert_eq!(lines_on_one("a", 7, 3), "");
        assert_eq!(lines_on_one("a", 0, usize::MAX), "a");
    }

    #[test]
    fn any_text_gives_instructions_in_order_that_do_not_overlap() {
        const PARTS: [&str; 16] = [
            "FROM a",
            "RUN ",
            "COPY ",
            "<<A",
            "<<-'B'",
            "\nA",
            "\n\tB",
            "\\\n",
            "\n",
            " ",
            "\"",
            "# escape=`\n",
            "ENV A=",
            "\u{feff}",
            "é\r\n",
            "ONBUILD ADD",
        ];
        let mut state: u64 = 1;
        for _ in 0..5000 {
            let mut text = String::new();
            for _ in 0..20 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(PARTS[usize::try_from(state >> 60).unwrap()]);
            }
            let file = Dockerfile::parse(&text);
            let mut last = 0;
            for instruction in &file.instructions {
                assert!(
                    last < instruction.first_line && instruction.first_line <= instruction.last_line,
                    "{text:?}"
                );
                assert_eq!(file.at(instruction.last_line), Some(instruction), "{text:?}");
                file.declaration(instruction.first_line, "A");
                last = instruction.last_line;
            }
            assert!(last <= text.split('\n').count(), "{text:?}");
        }
    }

    /// The keywords keep their lines, and variables are declared where they were; nothing else is left.
    #[test]
    fn without_values_the_lines_the_keywords_and_the_names_of_variables_are_left() {
        let text = Dockerfile::parse(STAGES).without_values();
        let lines: Vec<&str> = text.split('\n').collect();
        let first = STAGES.split('\n').count() - lines.len();
        assert_eq!(first, 1, "only the line break at the end is gone");
        assert_eq!(lines[1..4], ["ARG BASE", "FROM tiny AS tools", "ENV CGO= LANG= MODE="]);
        assert_eq!(lines[7..13], ["", "FROM Tools AS gen", "ARG MODE VERSION", "RUN", "ENV PORT=", "RUN"]);
        let (before, after) = (Dockerfile::parse(STAGES), Dockerfile::parse(&text));
        for name in ["BASE", "CGO", "LANG", "MODE", "VERSION", "PORT"] {
            for line in 1..=lines.len() {
                let keyword = |file: &Dockerfile| file.at(line).map(|found| found.keyword.clone());
                if keyword(&after).is_some() {
                    assert_eq!(keyword(&after), keyword(&before), "{line}");
                    assert_eq!(
                        after.declaration(line, name),
                        before.declaration(line, name),
                        "{name} {line}"
                    );
                }
            }
        }
        let with_variable = Dockerfile::parse("FROM x\nRUN echo $secret token\nCOPY a b");
        assert_eq!(with_variable.without_values(), "FROM x\nRUN $\nCOPY");
    }
}
