//! Reading what stands in the files of a runtime directory: numbers in little-endian, texts with their length before them.
//!
//! Nothing that is read is trusted: where the bytes end too early there is no value.

/// Bytes that are read front to back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    rest: &'a [u8],
}

impl<'a> Reading<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reading<'a> {
        Reading { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    /// The next bytes, as many as asked for.
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length (u32), then so many bytes.
    pub(crate) fn counted(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.take(len as usize)
    }

    /// A length (u32), then so many bytes of UTF-8.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.counted()?).ok()
    }
}

/// Writes a length and the bytes.
pub(crate) fn put_counted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back_and_nothing_behind_the_end() {
        let mut out = vec![7];
        put_counted(&mut out, "ö".as_bytes());
        out.extend(5u64.to_le_bytes());
        let mut bytes = Reading::new(&out);
        assert_eq!((bytes.u8(), bytes.text(), bytes.u64()), (Some(7), Some("ö"), Some(5)));
        assert_eq!((bytes.u8(), bytes.u32(), bytes.counted()), (None, None, None));
        assert_eq!(Reading::new(&u32::MAX.to_le_bytes()).counted(), None);
        assert_eq!(Reading::new(&[1, 0, 0, 0, 0xff]).text(), None);
    }
}
