//! The owner that an action gives to files: by numbers, or by names that the accounts of a stage translate.

use cache_keys::{Owner, OwnerPart};

use crate::copying::cannot_carry_out::CannotCarryOut;

/// The files in which a stage keeps its accounts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Accounts<'a> {
    /// The bytes of `/etc/passwd`; `None` if the stage has no such file.
    pub(crate) passwd: Option<&'a [u8]>,
    /// The bytes of `/etc/group`; `None` if the stage has no such file.
    pub(crate) group: Option<&'a [u8]>,
}

/// The numbers of the owner that an action names, if it names one.
pub(crate) fn owner_numbers(
    owner: Option<&Owner>,
    accounts: Option<Accounts<'_>>,
) -> Result<Option<(u32, u32)>, CannotCarryOut> {
    let Some(owner) = owner else { return Ok(None) };
    numbers(owner, accounts).map(Some).ok_or(CannotCarryOut::NoAccounts)
}

/// The numbers of an owner. A group that is not given is that of the user; names that are not found are 0, as in BuildKit's
/// `solver/llbsolver/file`.
/// `None` if there is a name, and the accounts are not at hand.
fn numbers(owner: &Owner, accounts: Option<Accounts<'_>>) -> Option<(u32, u32)> {
    let has_name =
        [&owner.user, &owner.group].into_iter().any(|part| matches!(part, Some(OwnerPart::Name { .. })));
    let accounts = if has_name { accounts? } else { Accounts::default() };
    let mut ids = match &owner.user {
        None => (0, 0),
        Some(OwnerPart::Id(id)) => (*id, *id),
        Some(OwnerPart::Name { name, .. }) => {
            let fields = account(accounts.passwd, name).unwrap_or_default();
            (number(fields.get(2)), number(fields.get(3)))
        }
    };
    match &owner.group {
        None => {}
        Some(OwnerPart::Id(id)) => ids.1 = *id,
        Some(OwnerPart::Name { name, .. }) => {
            if let Some(fields) = account(accounts.group, name) {
                ids.1 = number(fields.get(2));
            }
        }
    }
    Some(ids)
}

/// The fields of the first line of this name.
fn account<'a>(file: Option<&'a [u8]>, name: &str) -> Option<Vec<&'a [u8]>> {
    let lines = file?.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut accounts = lines.map(|line| line.split(|byte| *byte == b':').collect::<Vec<_>>());
    accounts.find(|fields| fields.first() == Some(&name.as_bytes()))
}

fn number(field: Option<&&[u8]>) -> u32 {
    let text = field.and_then(|field| std::str::from_utf8(field).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_and_numbers_are_taken() {
        let accounts = Accounts {
            passwd: Some(b"root:x:0:0:root:/:/bin/sh\napp:x:1000:1001::/srv:/bin/sh\n"),
            group: Some(b"root:x:0:\nstaff:x:50:\n"),
        };
        let name = |name: &str| Some(OwnerPart::Name { name: name.to_owned(), input: 0 });
        let of = |user, group| numbers(&Owner { user, group }, Some(accounts)).unwrap();
        assert_eq!(of(name("app"), name("staff")), (1000, 50));
        assert_eq!(of(name("app"), None), (1000, 1001));
        assert_eq!(of(name("nobody"), name("none")), (0, 0));
        assert_eq!(of(Some(OwnerPart::Id(7)), None), (7, 7));
        assert_eq!(of(Some(OwnerPart::Id(7)), Some(OwnerPart::Id(8))), (7, 8));
        assert_eq!(of(None, Some(OwnerPart::Id(8))), (0, 8));
        let app = Owner { user: name("app"), group: None };
        assert_eq!(numbers(&app, Some(Accounts::default())), Some((0, 0)));
        assert_eq!(numbers(&app, None), None);
    }
}
