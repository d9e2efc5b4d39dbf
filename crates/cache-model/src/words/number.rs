//! Numbers within a message, as people read them.
//!
//! Positions and digests are names, not numbers: they are never grouped.

use std::time::Duration;

/// A number with its digits in groups of three.
///
/// ```
/// assert_eq!(cache_model::grouped(1_234_567), "1,234,567");
/// ```
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun, as in `1 blob` and `2 blobs`.
///
/// ```
/// assert_eq!(cache_model::count(1200, "name"), "1,200 names");
/// ```
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(number)) }
}

/// A time in its two largest units; below ten seconds with a tenth, unless that is zero.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(cache_model::duration(Duration::from_millis(1500)), "1.5 s");
/// assert_eq!(cache_model::duration(Duration::from_secs(7800)), "2 h 10 min");
/// ```
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0..10) => {
            let tenths = format!("{:.1}", time.as_secs_f64());
            format!("{} s", tenths.strip_suffix(".0").unwrap_or(&tenths))
        }
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let texts = [(0, "0 s"), (340, "0.3 s"), (5000, "5 s"), (59_900, "59 s"), (245_000, "4 min 5 s")];
        for (milliseconds, text) in texts.into_iter().chain([(7_800_000, "2 h 10 min")]) {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(count(0, "blob"), "0 blobs");
        assert_eq!(count(1, "blob"), "1 blob");
        assert_eq!(count(2, "blob"), "2 blobs");
    }
}
