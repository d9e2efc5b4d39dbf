//! Tars that are made header by header, also such as no program writes.

/// A tar.
#[derive(Clone, Default)]
pub(crate) struct Archive(Vec<u8>);

/// The fields of a header, as they are written.
pub(crate) struct Fields<'f> {
    pub(crate) name: &'f [u8],
    pub(crate) mode: &'f [u8],
    pub(crate) uid: &'f [u8],
    pub(crate) size: Vec<u8>,
    pub(crate) flag: u8,
    pub(crate) target: &'f [u8],
    pub(crate) prefix: &'f [u8],
}

impl<'f> Fields<'f> {
    pub(crate) fn new(name: &'f str, flag: u8) -> Self {
        let size = octal(0);
        Self {
            name: name.as_bytes(),
            mode: b"0000644",
            uid: b"0000000",
            size,
            flag,
            target: b"",
            prefix: b"",
        }
    }
}

/// A size as the field has it.
pub(crate) fn octal(size: u64) -> Vec<u8> {
    format!("{size:011o}\0").into_bytes()
}

/// A record of an extended header.
pub(crate) fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len.to_string().len() + rest != len {
        len += 1;
    }
    [format!("{len} {key}=").as_bytes(), value, b"\n"].concat()
}

impl Archive {
    /// A header with these fields and a right checksum.
    pub(crate) fn header(mut self, fields: &Fields<'_>) -> Self {
        let mut block = [0_u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, fields.name);
        put(100, fields.mode);
        put(108, fields.uid);
        put(116, b"0000000");
        put(124, &fields.size);
        put(136, b"00000000000");
        put(148, b"        ");
        put(156, &[fields.flag]);
        put(157, fields.target);
        put(257, b"ustar\x0000");
        put(345, fields.prefix);
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&block);
        self
    }

    /// Bytes, filled up to a whole block.
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// An entry with bytes.
    pub(crate) fn entry(self, name: &str, flag: u8, bytes: &[u8]) -> Self {
        let mut fields = Fields::new(name, flag);
        fields.size = octal(bytes.len() as u64);
        self.header(&fields).bytes(bytes)
    }

    pub(crate) fn file(self, name: &str, bytes: &str) -> Self {
        self.entry(name, b'0', bytes.as_bytes())
    }

    /// An extended header with these records, for the entry that follows.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let records: Vec<_> = records.iter().map(|(key, value)| record(key, value)).collect();
        self.entry("pax", b'x', &records.concat())
    }

    /// An entry without bytes that has a target.
    pub(crate) fn link(self, name: &str, flag: u8, target: &str) -> Self {
        let fields = Fields { target: target.as_bytes(), ..Fields::new(name, flag) };
        self.header(&fields)
    }

    /// The tar with the two blocks at its end.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }

    /// The tar without its end.
    pub(crate) fn open(self) -> Vec<u8> {
        self.0
    }
}
