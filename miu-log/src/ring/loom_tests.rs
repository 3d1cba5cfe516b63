//! Loom models of a ring: the cursors and lines that the rings run, on slots of one word instead of bytes.
//!
//! Loom tries every interleaving and every value that an access may see, and reports an access to a slot that the counters do not
//! order; the values show order, loss and doubling.

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::cursor::{ConsumerCursor, Fill, ProducerCursor};
use super::lines::{ConsumerLine, End, ProducerLine};
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

const CAPACITY: u64 = 2;

/// A segment.
struct Ring {
    producer: ProducerLine,
    consumer: ConsumerLine,
    slots: [UnsafeCell<u64>; CAPACITY as usize],
}

// SAFETY: R2 says who may touch a slot; that is what the models check.
unsafe impl Sync for Ring {}
// SAFETY: as above.
unsafe impl Send for Ring {}

impl Ring {
    fn new() -> Arc<Ring> {
        Arc::new(Ring {
            producer: ProducerLine {
                head: AtomicU64::new(0),
                accepted: AtomicU64::new(0),
                chained: AtomicU32::new(0),
                closed: AtomicU32::new(0),
                lost: std::array::from_fn(|_| AtomicU64::new(0)),
            },
            consumer: ConsumerLine {
                tail: AtomicU64::new(0),
                check: AtomicU64::new(!0),
                records: AtomicU64::new(0),
            },
            slots: [UnsafeCell::new(0), UnsafeCell::new(0)],
        })
    }

    fn slot(&self, position: u64) -> &UnsafeCell<u64> {
        &self.slots[(position % CAPACITY) as usize]
    }
}

/// The writing end, as `producer` has it.
struct Writer {
    ring: Arc<Ring>,
    cursor: ProducerCursor,
    tail: u64,
    accepted: u64,
}

impl Writer {
    fn new(ring: Arc<Ring>) -> Writer {
        Writer { ring, cursor: ProducerCursor::new(CAPACITY), tail: 0, accepted: 0 }
    }

    /// False where there is no room.
    fn write(&mut self, value: u64) -> bool {
        if self.cursor.claim(1).is_none() {
            self.tail = self.ring.consumer.latest(self.tail, self.cursor.head());
            let Fill { used, capacity } = self.cursor.refresh(self.tail, CAPACITY);
            if used < capacity {
                // Past the half mark, as the slow path does it.
                self.cursor.extend(self.tail, CAPACITY);
            }
        }
        let Some(position) = self.cursor.claim(1) else { return false };
        // SAFETY: the slot was claimed and is not committed (R2).
        self.ring.slot(position).with_mut(|slot| unsafe { *slot = value });
        self.accepted += 1;
        self.ring.producer.accepted.store(self.accepted, Ordering::Relaxed);
        self.cursor.commit(&self.ring.producer.head, 1);
        true
    }

    /// Goes on in a further segment, by way of a registration.
    fn chain(&mut self, next: Arc<Ring>, registered: &Registered) {
        next.producer.accepted.store(self.accepted, Ordering::Relaxed);
        registered.lock().unwrap().push(next.clone());
        self.ring.producer.mark_chained();
        *self = Writer { accepted: self.accepted, ..Writer::new(next) };
    }

    fn close(self) -> u64 {
        self.ring.producer.mark_closed();
        self.accepted
    }
}

type Registered = Mutex<Vec<Arc<Ring>>>;

/// The reading end, as `consumer` and the listener's readers have it.
struct Reader {
    ring: Arc<Ring>,
    cursor: ConsumerCursor,
    seen: Vec<u64>,
}

impl Reader {
    fn new(ring: Arc<Ring>) -> Reader {
        Reader { ring, cursor: ConsumerCursor::new(), seen: Vec::new() }
    }

    /// A pass: reads what is there. Nothing is freed yet.
    fn read(&mut self) {
        assert!(self.cursor.refresh(&self.ring.producer.head, CAPACITY));
        while self.cursor.unread().1 > 0 {
            // SAFETY: the slot is committed and not freed (R2).
            let value = self.ring.slot(self.cursor.unread().0).with(|slot| unsafe { *slot });
            self.seen.push(value);
            self.cursor.advance(1);
        }
    }

    fn free(&mut self) {
        if let Some(tail) = self.cursor.free() {
            self.ring.consumer.store(tail);
        }
    }

    fn end(&mut self) -> End {
        self.ring.producer.end(&mut self.cursor, CAPACITY)
    }

    /// A pass, and at the end of a segment the way to the next one.
    fn pass(&mut self, registered: &Registered) -> End {
        self.read();
        self.free();
        let end = self.end();
        if end == End::Chained {
            let next = registered.lock().unwrap().pop();
            self.ring = next.expect("a ring that says it goes on elsewhere has registered where (N2)");
            self.cursor = ConsumerCursor::new();
        }
        end
    }
}

/// One, two, three and so on, so many.
fn counted(many: u64) -> Vec<u64> {
    (1..=many).collect()
}

/// R3 and R4: what is read was written whole, and what is overwritten was read.
#[test]
fn loom_every_record_is_read_once_whole_and_in_order() {
    loom::model(|| {
        let ring = Ring::new();
        let mut reader = Reader::new(ring.clone());
        let producer = thread::spawn(move || {
            let mut writer = Writer::new(ring);
            (1..=3).take_while(|value| writer.write(*value)).count() as u64
        });
        reader.read();
        reader.free();
        let sent = producer.join().unwrap();
        reader.read();
        assert_eq!(reader.seen, counted(sent));
    });
}

/// N1: the end of a ring is seen after its last record, and then its count is final.
#[test]
fn loom_a_closed_ring_has_been_read_to_its_end() {
    loom::model(|| {
        let ring = Ring::new();
        let mut reader = Reader::new(ring.clone());
        let producer = thread::spawn(move || {
            let mut writer = Writer::new(ring);
            assert!(writer.write(1) && writer.write(2));
            writer.close()
        });
        let mut end = End::Open;
        for _ in 0..2 {
            reader.read();
            end = reader.end();
            if end == End::Closed {
                break;
            }
        }
        if end == End::Closed {
            // Nobody looks at this ring again: it is retired with what it says now.
            assert_eq!(reader.seen, counted(2));
            assert_eq!(reader.ring.producer.accepted.load(Ordering::Relaxed), 2);
        }
        assert_eq!(producer.join().unwrap(), 2);
    });
}

/// N1 and N2: the reader follows to the next segment after the last record of the old one, and finds it.
#[test]
fn loom_a_ring_that_goes_on_in_another_segment_loses_nothing() {
    loom::model(|| {
        let ring = Ring::new();
        let registered = Arc::new(Mutex::new(Vec::new()));
        let mut reader = Reader::new(ring.clone());
        let producer = {
            let registered = registered.clone();
            thread::spawn(move || {
                let mut writer = Writer::new(ring);
                assert!(writer.write(1));
                writer.chain(Ring::new(), &registered);
                assert!(writer.write(2));
                writer.close()
            })
        };
        let mut ended = false;
        for _ in 0..2 {
            ended = ended || reader.pass(&registered) == End::Closed;
        }
        assert_eq!(producer.join().unwrap(), 2);
        while !ended {
            ended = reader.pass(&registered) == End::Closed;
        }
        assert_eq!(reader.seen, counted(2));
        assert_eq!(reader.ring.producer.accepted.load(Ordering::Relaxed), 2, "it counts for the whole ring");
    });
}

/// How the two words of a consumer's counter get into a file.
#[derive(Clone, Copy, Debug)]
enum Writing {
    /// Each word at once, in this order or in no order at all: the number first.
    NumberFirst,
    /// The complement first.
    ComplementFirst,
    /// Part by part, from the first byte to the last.
    Upwards,
    /// From the last byte to the first.
    Downwards,
}

/// Before and after: they differ in the low part and in the high part of the word.
const OLD: u64 = 0x0f;
const NEW: u64 = 0x10;
const LOW: u64 = 0x0f;

fn write_words(line: &ConsumerLine, writing: Writing) {
    // A system call: what was read before it was read.
    fence(Ordering::Release);
    let parts = |word: u64, old: u64| [(old & !LOW) | (word & LOW), word];
    let reversed = |word: u64, old: u64| [(word & !LOW) | (old & LOW), word];
    let put = |word: &AtomicU64, values: [u64; 2]| {
        for value in values {
            word.store(value, Ordering::Release);
        }
    };
    match writing {
        Writing::NumberFirst => {
            line.tail.store(NEW, Ordering::Relaxed);
            line.check.store(!NEW, Ordering::Relaxed);
        }
        Writing::ComplementFirst => {
            line.check.store(!NEW, Ordering::Relaxed);
            line.tail.store(NEW, Ordering::Relaxed);
        }
        Writing::Upwards => {
            put(&line.tail, parts(NEW, OLD));
            put(&line.check, parts(!NEW, !OLD));
        }
        Writing::Downwards => {
            put(&line.check, reversed(!NEW, !OLD));
            put(&line.tail, reversed(NEW, OLD));
        }
    }
}

/// N3: whatever the producer catches of a counter that another process writes, it is never more than was given back, and
/// whoever sees it sees that it was read.
#[test]
fn loom_a_torn_counter_is_never_too_large() {
    use Writing::{ComplementFirst, Downwards, NumberFirst, Upwards};
    for writing in [NumberFirst, ComplementFirst, Upwards, Downwards] {
        loom::model(move || {
            let ring = Ring::new();
            ring.consumer.store(OLD);
            let listener = {
                let ring = ring.clone();
                thread::spawn(move || {
                    // SAFETY: the listener's own, until the new counter says otherwise: what it reads from the space it gives back.
                    ring.slot(0).with(|slot| unsafe { *slot });
                    write_words(&ring.consumer, writing);
                })
            };
            let tail = ring.consumer.latest(OLD, u64::from(u32::MAX));
            assert!(tail == OLD || tail == NEW, "{tail:#x} while {writing:?}");
            if tail == NEW {
                // SAFETY: given back.
                ring.slot(0).with_mut(|slot| unsafe { *slot = 1 });
            }
            listener.join().unwrap();
            assert_eq!(ring.consumer.latest(tail, u64::from(u32::MAX)), NEW);
        });
    }
}

/// What outlives a listener: the log file, and the last whole checkpoint.
#[derive(Default)]
struct Files {
    lines: Vec<u64>,
    /// How many lines count, and how far the ring was read. None: it says nothing, as after an orderly end.
    checkpoint: Option<(usize, u64)>,
}

/// Where the old listener comes to its end.
const STEPS: [&str; 5] = ["delivered", "checkpointed", "half-freed", "freed", "invalidated"];

/// A pass of a listener, in the order of `Listener::deliver`, `free` and `hand_over`, up to and including the step.
fn listen(ring: &Ring, files: &mut Files, last: &str) {
    assert!(STEPS.contains(&last));
    // As a listener's start does it: lines beyond the checkpoint are cut off, and the ring is read from where it was read to, or from
    // where its space was given back, if that is further.
    let head = ring.producer.head.load(Ordering::Acquire);
    let [tail, check] = [&ring.consumer.tail, &ring.consumer.check].map(|word| word.load(Ordering::Relaxed));
    let tail = ConsumerLine::settled(tail, check, head, CAPACITY).expect("one of its words is whole");
    let mut read = tail;
    if let Some((lines, position)) = files.checkpoint {
        files.lines.truncate(lines);
        read = read.max(position);
    }
    assert_eq!(files.lines.len() as u64, read, "what is passed over is in the file, and nothing else is");
    // A file is written down before it gets its first line from this listener; rings that no checkpoint names begin at 0.
    files.checkpoint = files.checkpoint.or(Some((files.lines.len(), 0)));
    let head = ring.producer.head.load(Ordering::Acquire);
    while read < head {
        // SAFETY: committed and not freed.
        files.lines.push(ring.slot(read).with(|slot| unsafe { *slot }));
        read += 1;
    }
    if last == "delivered" {
        return;
    }
    files.checkpoint = Some((files.lines.len(), read));
    if last == "checkpointed" {
        return;
    }
    if read > tail {
        // As `ConsumerLine::store`, but that it may end in between.
        ring.consumer.check.store(!read, Ordering::Release);
    }
    if last == "half-freed" {
        return;
    }
    if read > tail {
        ring.consumer.store(read);
    }
    if last == "freed" {
        return;
    }
    files.checkpoint = None;
}

/// Whether the old listener ends in order or dies at any step: the next one goes on without a loss, a double or an overwritten record.
#[test]
fn loom_the_next_listener_goes_on_where_the_last_one_ended() {
    for last in STEPS {
        loom::model(move || {
            let ring = Ring::new();
            let producer = {
                let ring = ring.clone();
                thread::spawn(move || {
                    let mut writer = Writer::new(ring);
                    (1..=4).take_while(|value| writer.write(*value)).count() as u64
                })
            };
            let mut files = Files::default();
            listen(&ring, &mut files, last);
            listen(&ring, &mut files, "freed");
            let sent = producer.join().unwrap();
            listen(&ring, &mut files, "freed");
            assert_eq!(files.lines, counted(sent));
        });
    }
}
