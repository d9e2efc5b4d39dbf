//! How much of a list fits into a limit, where the size of a beginning of the list is expensive to find out.

/// The length that is tried after the whole list, or half of the list.
const FIRST_BEGINNING: usize = 256;

/// The length of the longest beginning of a list of `len` items whose size is at most `limit`. The empty beginning
/// fits. Sizes have to rise with the length; see below.
///
/// The size of a config rises with the results that it keeps: a further result adds its own text, and the records, links
/// and layers that only it needs. Positions of records and layers can only rise, as nothing is taken away in front of
/// them. One thing can make a text shorter: records, or layers, that differ in nothing by which the config is sorted may
/// swap their places, and the swapped positions have different numbers of digits. Then another length may fit as well;
/// the one that is found always does, and the next longer one does not.
///
/// The whole list is tried first, so that a list that fits stays as it is. Then lengths are tried from below, each at most
/// four times the one before, and halved between. So the cost follows the length that fits; only the
/// first try costs as much as the whole list.
pub(crate) fn longest_beginning<E>(
    len: usize,
    limit: u64,
    mut size_of: impl FnMut(usize) -> Result<u64, E>,
) -> Result<usize, E> {
    if len == 0 || size_of(len)? <= limit {
        return Ok(len);
    }
    let (mut fits, mut too_long) = (0, len);
    while too_long - fits > 1 {
        let middle = fits + (too_long - fits) / 2;
        let next = (4 * fits).max(FIRST_BEGINNING).min(middle);
        if size_of(next)? <= limit {
            fits = next;
        } else {
            too_long = next;
        }
    }
    Ok(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest beginning of `len` items of 10 bytes each, and the lengths that were tried.
    fn longest(len: usize, limit: u64) -> (usize, Vec<usize>) {
        let mut tried = Vec::new();
        let size_of = |beginning: usize| {
            tried.push(beginning);
            Ok::<u64, ()>(10 * beginning as u64)
        };
        (longest_beginning(len, limit, size_of).unwrap(), tried)
    }

    #[test]
    fn the_longest_beginning_is_found_for_every_limit() {
        for len in [0, 1, 2, 255, 256, 257, 1500] {
            for limit in 0..10 * len as u64 + 20 {
                let (found, tried) = longest(len, limit);
                assert_eq!(
                    found,
                    len.min(usize::try_from(limit).unwrap() / 10),
                    "{len} items, {limit} bytes"
                );
                assert!(tried.iter().all(|tried| (1..=len).contains(tried)), "{tried:?}");
            }
        }
    }

    #[test]
    fn a_list_that_fits_is_tried_once() {
        assert_eq!(longest(1000, 10_000), (1000, vec![1000]));
    }

    #[test]
    fn no_length_is_tried_that_is_much_longer_than_the_one_that_fits() {
        let (found, tried) = longest(1_000_000, 10 * 300);
        assert_eq!(found, 300);
        assert!(tried.iter().skip(1).all(|tried| *tried <= 4 * 300) && tried.len() <= 13, "{tried:?}");
    }

    #[test]
    fn an_error_ends_the_search() {
        assert_eq!(longest_beginning(10, 5, |_| Err("an error")), Err("an error"));
    }
}
