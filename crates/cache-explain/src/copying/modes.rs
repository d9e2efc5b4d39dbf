//! Permissions that a copy gives, in numbers or in the words of `chmod`.
//!
//! The words are those of POSIX, and BuildKit's umask is 0.

/// What a copy does to permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ModeChange {
    /// It keeps those of the source.
    Keep,
    /// It sets these.
    Set(u32),
    /// It changes them by these clauses.
    Words(Vec<Clause>),
}

/// Changes for some classes of users: `u=rwX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clause {
    /// The bits of the classes, with setuid and setgid.
    who: u32,
    operator: u8,
    words: Vec<u8>,
}

const USER: u32 = 0o4700;
const GROUP: u32 = 0o2070;
const OTHERS: u32 = 0o0007;
const STICKY: u32 = 0o1000;

impl ModeChange {
    /// The change of a copy with these arguments. `None` if the words cannot be understood.
    pub(crate) fn of(mode: i64, words: &str) -> Option<Self> {
        if !words.is_empty() {
            let clauses: Option<Vec<Vec<Clause>>> = words.split(',').map(clauses).collect();
            return clauses.map(|clauses| Self::Words(clauses.concat()));
        }
        match mode {
            -1 => Some(Self::Keep),
            mode => Some(Self::Set(u32::try_from(mode).ok()? & 0o7777)),
        }
    }

    /// The permissions that an entry gets.
    pub(crate) fn apply(&self, mode: u32, is_folder: bool) -> u32 {
        match self {
            Self::Keep => mode,
            Self::Set(mode) => *mode,
            Self::Words(clauses) => clauses.iter().fold(mode, |mode, clause| clause.apply(mode, is_folder)),
        }
    }

    /// The permissions of folders that are made on the way to the destination.
    pub(crate) fn made_folder(&self) -> u32 {
        match self {
            Self::Set(mode) => mode & 0o777,
            Self::Keep | Self::Words(_) => 0o755,
        }
    }
}

impl Clause {
    fn apply(&self, mode: u32, is_folder: bool) -> u32 {
        let bits = self.words.iter().fold(0, |bits, word| bits | bits_of(*word, mode, is_folder))
            & (self.who | STICKY);
        match self.operator {
            b'+' => mode | bits,
            b'-' => mode & !bits,
            _ => (mode & !self.who) | bits,
        }
    }
}

/// The bits of a word for all classes.
fn bits_of(word: u8, mode: u32, is_folder: bool) -> u32 {
    let of_class = |bits: u32| (bits & 7) * 0o111;
    match word {
        b'r' => 0o444,
        b'w' => 0o222,
        b'x' => 0o111,
        b'X' if is_folder || mode & 0o111 != 0 => 0o111,
        b's' => 0o6000,
        b't' => STICKY,
        b'u' => of_class(mode >> 6),
        b'g' => of_class(mode >> 3),
        b'o' => of_class(mode),
        _ => 0,
    }
}

/// The clauses of one part between commas: classes, and then one or more operators with words.
fn clauses(part: &str) -> Option<Vec<Clause>> {
    let mut bytes = part.bytes().peekable();
    let mut who = 0;
    while let Some(class) = bytes.next_if(|byte| b"ugoa".contains(byte)) {
        who |= match class {
            b'u' => USER,
            b'g' => GROUP,
            b'o' => OTHERS,
            _ => USER | GROUP | OTHERS,
        };
    }
    if who == 0 {
        who = USER | GROUP | OTHERS;
    }
    let mut clauses = Vec::new();
    while let Some(operator) = bytes.next() {
        let mut words = Vec::new();
        while let Some(word) = bytes.next_if(|byte| b"rwxXstugo".contains(byte)) {
            words.push(word);
        }
        if !b"+-=".contains(&operator) {
            return None;
        }
        clauses.push(Clause { who, operator, words });
    }
    (!clauses.is_empty()).then_some(clauses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(words: &str, mode: u32, is_folder: bool) -> Option<u32> {
        Some(ModeChange::of(-1, words)?.apply(mode, is_folder))
    }

    #[test]
    fn words_change_permissions_as_chmod_does() {
        assert_eq!(changed("u=rw,go=r", 0o755, false), Some(0o644));
        assert_eq!(changed("u=rwX,go=rX", 0o640, false), Some(0o644));
        assert_eq!(changed("u=rwX,go=rX", 0o750, false), Some(0o755));
        assert_eq!(changed("u=rwX,go=rX", 0o700, true), Some(0o755));
        assert_eq!(changed("a+x", 0o640, false), Some(0o751));
        assert_eq!(changed("+x", 0o644, false), Some(0o755));
        assert_eq!(changed("g=u", 0o640, false), Some(0o660));
        assert_eq!(changed("go-rwx", 0o777, false), Some(0o700));
        assert_eq!(changed("u+s,o+t", 0o755, false), Some(0o5755));
        assert_eq!(changed("u-x+w", 0o555, false), Some(0o655));
        assert_eq!(changed("u=rw", 0o4755, false), Some(0o655));
    }

    #[test]
    fn numbers_set_permissions_and_other_words_are_not_understood() {
        assert_eq!(ModeChange::of(0o4711, "").map(|change| change.apply(0o600, false)), Some(0o4711));
        assert_eq!(ModeChange::of(0o4711, "").map(|change| change.made_folder()), Some(0o711));
        assert_eq!(ModeChange::of(-1, "").map(|change| change.apply(0o600, true)), Some(0o600));
        for words in ["u", "z=r", "u=q", "u=r,", "=r=,x"] {
            assert_eq!(ModeChange::of(-1, words), None, "{words}");
        }
        assert_eq!(ModeChange::of(-2, ""), None);
    }
}
