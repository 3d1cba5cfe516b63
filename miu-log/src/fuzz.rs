//! Entry points of the fuzz targets: everything that reads bytes or text it did not write.

use std::sync::Arc;

use crate::codec::{Args, Head, padded};
use crate::layout::Pattern;
use crate::ring::consumer::Consumer;
use crate::ring::producer::Producer;
use crate::ring::segment::{HEADER, Header, Identity, SMALLEST, Segment};
use crate::template::Template;

/// A record's arguments, decoded and rendered.
pub fn record(template: &str, bytes: &[u8]) {
    if let Ok(template) = Template::parse(template) {
        let mut out = Vec::new();
        let _ = template.render(&mut Args::new(bytes), &mut out);
        assert!(std::str::from_utf8(&out).is_ok() && !out.contains(&b'\n'));
    }
}

/// A layout's pattern.
pub fn pattern(text: &str) {
    let _ = Pattern::parse(text);
}

/// A ring's content, read as records.
pub fn ring(bytes: &[u8]) {
    let identity =
        Identity { process_id: 1, thread_id: 1, ring: 0, generation: 0, thread_name: String::new() };
    let Ok(segment) = Segment::create(None, SMALLEST, &identity) else { return };
    let segment = Arc::new(segment);
    let mut producer = Producer::new(Arc::new(()), segment.clone(), 0);
    let mut consumer = Consumer::new(segment, 0);
    for chunk in bytes.chunks(4096) {
        producer.extend(u64::MAX);
        producer.write(padded(chunk.len()), |slot, _| slot[..chunk.len()].copy_from_slice(chunk));
    }
    if !consumer.refresh() {
        return;
    }
    while consumer.has_unread() {
        let Ok(head) = Head::parse(consumer.unread()) else { break };
        let mut arguments = Args::new(&consumer.unread()[crate::codec::HEADER..head.len as usize]);
        while arguments.next().is_ok() {}
        consumer.advance(padded(head.len as usize));
    }
}

/// The first bytes of a segment's file, as another process may have left them: the file's length, eight bytes of it, then header and
/// data. Also what the data hold, read as records.
pub fn segment(bytes: &[u8]) {
    let Some((len, bytes)) = bytes.split_first_chunk() else { return };
    let len = u64::from_le_bytes(*len);
    let Ok(header) = Header::parse(bytes, len) else { return };
    assert!(header.unread <= header.capacity && header.capacity <= len);
    assert!(header.capacity.is_power_of_two());
    let data = &bytes[HEADER..];
    let mut unread = &data[..data.len().min(header.unread as usize)];
    while let Ok(head) = Head::parse(unread) {
        let mut arguments = Args::new(&unread[crate::codec::HEADER..head.len as usize]);
        while arguments.next().is_ok() {}
        unread = unread.get(padded(head.len as usize)..).unwrap_or_default();
    }
}
