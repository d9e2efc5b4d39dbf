//! What one Rust file says, as far as paths go: the modules that it declares, the names that it defines and imports,
//! and the paths that it uses.
//!
//! It works on tokens, so that paths inside of macros count as any others. It resolves nothing.

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A path: its segments as they are written.
pub(super) type Path = Vec<String>;

/// What a module says.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// The names of the items that it defines.
    pub(super) items: Vec<String>,
    pub(super) modules: Vec<Child>,
    pub(super) imports: Vec<Import>,
    /// The paths in its code. A name alone is a path of one segment, unless it may be one of a variable.
    pub(super) paths: Vec<Path>,
}

/// A module within a module.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: String,
    /// What it says, if it stands in the same file.
    pub(super) inline: Option<Module>,
    /// The file that an attribute `path` names.
    pub(super) file: Option<String>,
}

/// One name of a `use` declaration.
#[derive(Debug)]
pub(super) struct Import {
    /// The name under which it is imported; `*` for all names of a module, `_` for none.
    pub(super) name: String,
    pub(super) path: Path,
    /// Whether others may use the name too: `pub use` and `pub(crate) use`.
    pub(super) is_reexport: bool,
}

/// What comes before an item.
#[derive(Default)]
struct Before {
    is_for_tests: bool,
    is_public: bool,
    file: Option<String>,
}

/// Reads the text of a file.
pub(super) fn read(text: &str) -> Result<Module> {
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("{error}"))?;
    let mut module = Module::default();
    module.read(tokens);
    Ok(module)
}

/// The tokens of one group, read from the front.
struct Tokens {
    all: Vec<TokenTree>,
    next: usize,
}

impl Tokens {
    fn new(stream: TokenStream) -> Self {
        Self { all: stream.into_iter().collect(), next: 0 }
    }

    fn peek(&self, ahead: usize) -> Option<&TokenTree> {
        self.all.get(self.next + ahead)
    }

    fn is_ident(&self, ahead: usize, name: &str) -> bool {
        matches!(self.peek(ahead), Some(TokenTree::Ident(ident)) if ident == name)
    }

    fn is_punct(&self, ahead: usize, char: char) -> bool {
        matches!(self.peek(ahead), Some(TokenTree::Punct(punct)) if punct.as_char() == char)
    }

    /// Whether two colons come.
    fn is_separator(&self, ahead: usize) -> bool {
        self.is_punct(ahead, ':') && self.is_punct(ahead + 1, ':')
    }

    fn ident(&self, ahead: usize) -> Option<String> {
        match self.peek(ahead) {
            Some(TokenTree::Ident(ident)) => Some(ident.to_string().trim_start_matches("r#").to_owned()),
            _ => None,
        }
    }

    fn group(&self, ahead: usize, delimiter: Delimiter) -> Option<&Group> {
        match self.peek(ahead) {
            Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group),
            _ => None,
        }
    }

    /// Whether a path, of which the last segment comes, is a name alone that may be one of a variable: no type, no
    /// constant, no call.
    fn is_variable(&self, path: &Path) -> bool {
        let [name] = path.as_slice() else { return false };
        let is_call = self.group(1, Delimiter::Parenthesis).is_some() || self.is_punct(1, '!');
        !is_call && !name.starts_with(char::is_uppercase)
    }

    /// Takes the tokens up to the end of an item: a semicolon, or braces unless it is a value.
    fn take_item(&mut self) -> TokenStream {
        let is_value = (0..2).any(|ahead| self.is_ident(ahead, "static"))
            || self.is_ident(0, "use")
            || self.is_ident(0, "type")
            || (self.is_ident(0, "const") && !self.is_function(1));
        let mut taken = Vec::new();
        while let Some(token) = self.peek(0).cloned() {
            self.next += 1;
            let ends = match &token {
                TokenTree::Punct(punct) => punct.as_char() == ';',
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !is_value,
                _ => false,
            };
            taken.push(token);
            if ends {
                break;
            }
        }
        taken.into_iter().collect()
    }

    /// Whether `fn` comes, behind words such as `unsafe`.
    fn is_function(&self, ahead: usize) -> bool {
        let mut words = (ahead..ahead + 4).map_while(|ahead| self.ident(ahead));
        words.any(|word| word == "fn")
    }

    /// Takes attributes and the visibility.
    fn take_before(&mut self) -> Before {
        let mut before = Before::default();
        while self.is_punct(0, '#') {
            let inner = usize::from(self.is_punct(1, '!'));
            let Some(attribute) = self.group(1 + inner, Delimiter::Bracket) else { break };
            let attribute = Self::new(attribute.stream());
            before.is_for_tests |= inner == 0 && attribute.is_cfg_test();
            before.file = before.file.or_else(|| attribute.path());
            self.next += 2 + inner;
        }
        if self.is_ident(0, "pub") {
            before.is_public = true;
            self.next += 1 + usize::from(self.group(1, Delimiter::Parenthesis).is_some());
        }
        before
    }

    /// Whether the attribute is `cfg(test)`, or `cfg(all(test, …))`.
    fn is_cfg_test(&self) -> bool {
        let Some(group) = self.group(1, Delimiter::Parenthesis).filter(|_| self.is_ident(0, "cfg")) else {
            return false;
        };
        let condition = Self::new(group.stream());
        if condition.is_ident(0, "test") {
            return true;
        }
        let all = condition.group(1, Delimiter::Parenthesis).filter(|_| condition.is_ident(0, "all"));
        all.is_some_and(|all| {
            let parts = Self::new(all.stream());
            (0..parts.all.len()).any(|ahead| parts.is_ident(ahead, "test"))
        })
    }

    /// The value of the attribute `path`.
    fn path(&self) -> Option<String> {
        let is_path = self.is_ident(0, "path") && self.is_punct(1, '=');
        let Some(TokenTree::Literal(value)) = self.peek(2).filter(|_| is_path) else { return None };
        Some(value.to_string().trim_matches('"').to_owned())
    }
}

impl Module {
    /// Reads the items of a module.
    fn read(&mut self, stream: TokenStream) {
        let mut tokens = Tokens::new(stream);
        while tokens.peek(0).is_some() {
            let before = tokens.take_before();
            if before.is_for_tests {
                tokens.take_item();
            } else if tokens.is_ident(0, "mod") {
                let name = tokens.ident(1).unwrap_or_default();
                let inline = tokens.group(2, Delimiter::Brace).map(|group| {
                    let mut inner = Self::default();
                    inner.read(group.stream());
                    inner
                });
                self.modules.push(Child { name, inline, file: before.file });
                tokens.take_item();
            } else if tokens.is_ident(0, "use") {
                let item = tokens.take_item();
                self.import(item, before.is_public);
            } else {
                self.items.extend(defined(&tokens));
                let item = tokens.take_item();
                self.code(item);
            }
        }
    }

    /// Reads the names of a `use` declaration, which begins with that word.
    fn import(&mut self, item: TokenStream, is_reexport: bool) {
        let mut tokens = Tokens::new(item);
        tokens.next = 1;
        let mut waiting = vec![(Path::new(), tokens)];
        while let Some((start, mut tokens)) = waiting.pop() {
            let mut path = start.clone();
            // The name to import, once a path has one.
            let mut name = None;
            while let Some(token) = tokens.peek(0).cloned() {
                match token {
                    TokenTree::Ident(_) if tokens.is_ident(0, "as") => {
                        name = tokens.ident(1);
                        tokens.next += 1;
                    }
                    // `a::{self}` is `a`.
                    TokenTree::Ident(_) if tokens.is_ident(0, "self") && !path.is_empty() => {
                        name = path.last().cloned();
                    }
                    TokenTree::Ident(_) => {
                        path.extend(tokens.ident(0));
                        name = path.last().cloned();
                    }
                    TokenTree::Group(group) => {
                        waiting.push((path.clone(), Tokens::new(group.stream())));
                        name = None;
                    }
                    TokenTree::Punct(punct) if punct.as_char() == '*' => name = Some("*".to_owned()),
                    TokenTree::Punct(punct) if punct.as_char() == ',' => {
                        let path = std::mem::replace(&mut path, start.clone());
                        let name = name.take();
                        self.imports.extend(name.map(|name| Import { name, path, is_reexport }));
                    }
                    _ => {}
                }
                tokens.next += 1;
            }
            self.imports.extend(name.map(|name| Import { name, path, is_reexport }));
        }
    }

    /// Reads the paths of an item, and the imports within functions.
    fn code(&mut self, item: TokenStream) {
        let mut waiting = vec![Tokens::new(item)];
        while let Some(mut tokens) = waiting.pop() {
            // Behind a dot a name is a field or a method, behind colons it belongs to a type.
            let mut is_member = false;
            while let Some(token) = tokens.peek(0).cloned() {
                match token {
                    TokenTree::Punct(_) if tokens.is_punct(0, '#') => {
                        let before = tokens.take_before();
                        if before.is_for_tests {
                            tokens.take_item();
                        } else if tokens.is_punct(0, '#') {
                            tokens.next += 1;
                        }
                        continue;
                    }
                    TokenTree::Ident(_) if tokens.is_ident(0, "use") && !tokens.is_punct(1, '<') => {
                        let item = tokens.take_item();
                        self.import(item, false);
                        continue;
                    }
                    TokenTree::Ident(_) => {
                        let mut path = Path::from_iter(tokens.ident(0));
                        while tokens.is_separator(1) && tokens.ident(3).is_some() {
                            path.extend(tokens.ident(3));
                            tokens.next += 3;
                        }
                        if !is_member && !tokens.is_variable(&path) {
                            self.paths.push(path);
                        }
                        is_member = false;
                    }
                    TokenTree::Punct(_) if tokens.is_separator(0) => {
                        is_member = true;
                        tokens.next += 1;
                    }
                    // Two dots are a range.
                    TokenTree::Punct(punct) => is_member = punct.as_char() == '.' && !is_member,
                    TokenTree::Group(group) => {
                        waiting.push(Tokens::new(group.stream()));
                        is_member = false;
                    }
                    TokenTree::Literal(_) => is_member = false,
                }
                tokens.next += 1;
            }
        }
    }
}

/// The name of the item that comes; `None` for one without a name, such as an `impl`.
fn defined(tokens: &Tokens) -> Option<String> {
    let mut ahead = 0;
    loop {
        match tokens.ident(ahead)?.as_str() {
            "macro_rules" => return tokens.ident(ahead + 2),
            "const" if tokens.is_function(ahead + 1) => ahead += 1,
            "struct" | "enum" | "union" | "trait" | "type" | "fn" | "const" => {
                return tokens.ident(ahead + 1);
            }
            "static" => return tokens.ident(ahead + 1 + usize::from(tokens.is_ident(ahead + 1, "mut"))),
            "unsafe" | "async" | "auto" | "safe" => ahead += 1,
            // `extern "C" fn`
            "extern" => ahead += 2,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(text: &str) -> Vec<String> {
        let module = read(text).unwrap();
        let mut imports: Vec<String> = module
            .imports
            .iter()
            .map(|import| {
                let word = if import.is_reexport { "pub use" } else { "use" };
                format!("{word} {} as {}", import.path.join("::"), import.name)
            })
            .collect();
        imports.sort();
        imports
    }

    #[test]
    fn every_name_of_a_use_declaration_is_read() {
        assert_eq!(
            imports("use a::{self, b::{C, D as E,}, f::*};\npub(crate) use g::H as _;\npub use i;"),
            [
                "pub use g::H as _",
                "pub use i as i",
                "use a as a",
                "use a::b::C as C",
                "use a::b::D as E",
                "use a::f as *",
            ]
        );
        assert_eq!(imports("fn f() { use a::B; g(|| { use c::D; }) }"), ["use a::B as B", "use c::D as D"]);
    }

    #[test]
    fn the_names_of_items_are_read_and_those_of_tests_are_not() {
        let text = "
            /// A.
            #[derive(Debug)]
            pub struct A<T>(T) where T: Copy;
            pub(crate) const fn b() {}
            const C: D = D { e: 1 };
            static mut F: u8 = 0;
            pub unsafe extern \"C\" fn g() {}
            macro_rules! h { () => { struct No; } }
            impl A<u8> { fn no() {} }
            #[cfg(test)]
            struct No { a: u8 }
            #[cfg(all(test, unix))]
            mod no;
            #[cfg(not(test))]
            enum I {}
            mod j { struct No; }
        ";
        let module = read(text).unwrap();
        assert_eq!(module.items, ["A", "b", "C", "F", "g", "h", "I"]);
        let modules: Vec<&str> = module.modules.iter().map(|child| child.name.as_str()).collect();
        assert_eq!(modules, ["j"]);
    }

    #[test]
    fn paths_are_read_wherever_they_stand_and_members_are_none() {
        let text = "
            fn f(a: &crate::b::C) -> impl Fn() + use<'_> {
                a.d.e();
                print!(\"{}\", super::g(0..h));
                <I as J>::k;
                L::<m::N>::o(crate::p::Q::R);
                #[cfg(test)]
                crate::no::no();
            }
            // crate::no::No
            /// [`crate::no::No`]
            const R: &str = \"crate::no::No\";
        ";
        let module = read(text).unwrap();
        let paths: Vec<String> = module.paths.iter().map(|path| path.join("::")).collect();
        for path in ["crate::b::C", "super::g", "print", "I", "J", "L", "m::N", "crate::p::Q::R"] {
            assert!(paths.iter().any(|found| found == path), "{path}: {paths:?}");
        }
        for path in ["d", "e", "h", "k", "o", "crate::no::no", "crate::no::No"] {
            assert!(paths.iter().all(|found| found != path), "{path}: {paths:?}");
        }
    }
}
