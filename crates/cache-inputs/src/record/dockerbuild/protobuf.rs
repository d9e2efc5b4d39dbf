//! The wire format of Protocol Buffers, as far as a status log needs it (protobuf.dev, "Encoding").
//!
//! It gives the fields of one message in their order, and never follows a message into its messages.

use std::fmt;

/// The fields of a message: each has its number and its value.
#[derive(Clone, Debug)]
pub(crate) struct WireFields<'a> {
    rest: &'a [u8],
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireValue<'a> {
    /// A number, a truth value or an enumeration.
    Varint(u64),
    /// A text, bytes or a message.
    Bytes(&'a [u8]),
    /// Four or eight bytes, which no field of a status log has.
    Fixed,
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAMessage;

impl<'a> WireFields<'a> {
    /// The fields of a message.
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn read(&mut self) -> Option<(u64, WireValue<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => WireValue::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                WireValue::Fixed
            }
            2 => {
                let len = self.varint()?;
                WireValue::Bytes(self.take(usize::try_from(len).ok()?)?)
            }
            5 => {
                self.take(4)?;
                WireValue::Fixed
            }
            _ => return None,
        };
        Some((tag >> 3, value))
    }

    /// A number of at most 64 bits: seven bits a byte, the lowest first, the highest bit set in all bytes but the last.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }
}

impl<'a> Iterator for WireFields<'a> {
    type Item = Result<(u64, WireValue<'a>), NotAMessage>;

    /// The next field. Nothing follows an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field.ok_or(NotAMessage))
    }
}

impl fmt::Display for NotAMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not a Protocol Buffers message")
    }
}

impl std::error::Error for NotAMessage {}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use super::*;

    fn fields(message: &[u8]) -> Result<Vec<(u64, WireValue<'_>)>, NotAMessage> {
        WireFields::new(message).collect()
    }

    #[test]
    fn fields_come_in_order_with_their_numbers() {
        let message = b"\x08\x96\x01\x12\x02hi\x1d1234\x21abcdefgh\xa0\x06\x01";
        let expected = [
            (1, WireValue::Varint(150)),
            (2, WireValue::Bytes(b"hi")),
            (3, WireValue::Fixed),
            (4, WireValue::Fixed),
            (100, WireValue::Varint(1)),
        ];
        assert_eq!(fields(message).unwrap(), expected);
        assert_eq!(fields(b"").unwrap(), []);
    }

    #[test]
    fn the_largest_number_has_ten_bytes() {
        let message = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(fields(message).unwrap(), [(1, WireValue::Varint(u64::MAX))]);
        assert_eq!(fields(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Err(NotAMessage));
    }

    #[test]
    fn what_is_cut_short_or_a_group_is_no_message() {
        for bytes in [&b"\x08"[..], b"\x08\x80", b"\x12\x03hi", b"\x1d123", b"\x21abc", b"\x0b\x0c", b"\x80"]
        {
            assert_eq!(fields(bytes), Err(NotAMessage), "{bytes:?}");
        }
    }

    #[test]
    fn nothing_follows_an_error() {
        let mut fields = WireFields::new(b"\x0b\x08\x01");
        assert_eq!(fields.next(), Some(Err(NotAMessage)));
        assert_eq!(fields.next(), None);
    }
}
