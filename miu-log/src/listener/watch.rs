//! The listener's side of other processes: finds them, reads their rings, says what becomes of them, and hands over to another listener.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Listener;
use super::checkpoint::{Position, RingKey};
use super::foreign::{ForeignRing, Refusal};
use super::peers::{Change, Peer, member_of, names, remove_unfinished, ring_of};
use super::reader::open_named;
use crate::layout::moment;
use crate::level::Level;
use crate::notice::{notice, records};
use crate::ring::segment::{Identity, file_name};
use crate::sync::Ordering;
use crate::worker::{ExitCause, OnWorker, WorkerEvent, WorkerEventKind};

/// A process that has asked for the listener is believed to be there for so long.
const STILL_THERE: Duration = Duration::from_secs(1);

/// Where the listener looks for other processes.
pub(crate) struct Watch {
    /// The runtime directory.
    pub(crate) folder: PathBuf,
    /// Where rings go on that were full while there was no listener.
    pub(crate) spill: PathBuf,
    /// This process's own number there.
    pub(crate) own: u32,
    /// The count of new files at the last look.
    pub(crate) arrivals: Option<u32>,
    /// The process that was refused the listener, by its number: said once each.
    pub(crate) refused: u32,
    /// When a process was last seen to ask for the listener.
    pub(crate) asked: Option<Instant>,
    pub(crate) on_worker: Option<OnWorker>,
    /// Says that other processes go on in the directory.
    pub(crate) keep: Box<dyn Fn() + Send>,
    /// Gives the directory up, for another listener.
    pub(crate) release: Box<dyn Fn() + Send>,
}

impl Watch {
    fn tell(&self, peer: &Peer, kind: WorkerEventKind) {
        let Some(OnWorker(call)) = &self.on_worker else { return };
        let event = WorkerEvent { name: peer.about.name.clone(), process_id: peer.about.process_id, kind };
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call(&event)));
        if told.is_err() {
            notice("on_worker", "the function given to on_worker panicked");
        }
    }
}

impl Listener {
    /// From now on other processes are looked for. What an earlier listener has read of their rings is not read again.
    pub(crate) fn watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
        self.find_peers();
    }

    /// Whether a process has made a file that was not looked for yet.
    pub(super) fn has_arrivals(&self) -> bool {
        let now = self.queue.page().listener.arrivals.load(Ordering::Acquire);
        self.watch.as_ref().is_some_and(|watch| watch.arrivals != Some(now))
    }

    /// Finds new processes and rings, and sees how the known ones are doing.
    pub(super) fn look_at_peers(&mut self, now: u64, due: bool) {
        if self.watch.is_none() {
            return;
        }
        if due || self.has_arrivals() {
            self.find_peers();
        }
        if self.peers.all.is_empty() {
            return;
        }
        let ended = self.peers.maybe_ended(due);
        if ended.is_empty() && now <= self.peers.next_deadline() {
            return;
        }
        let mut changes = Vec::new();
        for peer in self.peers.all.values_mut() {
            if let Some(change) = peer.look(now, ended.contains(&peer.number)) {
                changes.push((peer.number, change));
            }
        }
        for (number, change) in changes {
            match change {
                Change::Late => {
                    self.tell(number, Level::Warning, "appears dead", WorkerEventKind::AppearsDead);
                }
                Change::Back => self.tell(number, Level::Info, "is back", WorkerEventKind::Back),
                Change::Gone => {
                    // Its last rings may not have been found yet.
                    self.find_peers();
                    self.readers.orphan(number);
                }
            }
        }
    }

    fn tell(&mut self, number: u32, level: Level, what: &str, kind: WorkerEventKind) {
        let Some(peer) = self.peers.all.get(&number) else { return };
        let message = format!("Worker {} {what}", peer.name);
        if let Some(watch) = &self.watch {
            watch.tell(peer, kind);
        }
        self.say(0, level, &message);
    }

    fn find_peers(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        // Before the look: what comes during it is looked for once more.
        watch.arrivals = Some(self.queue.page().listener.arrivals.load(Ordering::Acquire));
        let own = watch.own;
        let mut found = names(&watch.folder);
        remove_unfinished(&watch.folder, &found);
        if watch.spill != watch.folder {
            found.extend(names(&watch.spill));
        }
        for number in found.iter().filter_map(|name| member_of(name)) {
            if number == own || self.peers.all.contains_key(&number) {
                continue;
            }
            match Peer::open(&watch.folder, number) {
                Ok(peer) => {
                    watch.tell(&peer, WorkerEventKind::Joined);
                    self.peers.all.insert(number, peer);
                }
                Err(reason) => {
                    notice("member", &format!("a process that joined is not understood: {reason}"));
                }
            }
        }
        let folders = vec![watch.folder.clone(), watch.spill.clone()];
        let mut rings: Vec<(RingKey, u32)> = found
            .iter()
            .filter_map(|name| ring_of(name))
            .filter(|(key, _)| key.member != own && self.peers.all.contains_key(&key.member))
            .filter(|(key, _)| !self.readers.knows(*key))
            .collect();
        rings.sort_unstable();
        for (key, generation) in rings {
            self.open_ring(key, generation, &folders);
        }
    }

    /// Begins to read another process's ring, with this segment, if that is where it was read to. Whether that went well.
    pub(super) fn open_ring(&mut self, key: RingKey, generation: u32, folders: &[PathBuf]) -> bool {
        let Position { generation: first, bytes } =
            self.kept.get(&key).copied().unwrap_or(Position { generation: 0, bytes: 0 });
        if self.readers.knows(key) {
            return true;
        }
        let from = if generation == first { bytes } else { 0 };
        let named = Identity {
            member: key.member,
            ring: key.ring,
            generation,
            process_id: 0,
            thread_id: 0,
            thread_name: String::new(),
        };
        if generation < first {
            // The checkpoint says that all of it is written. It goes before the ring does: then nothing says so any more.
            for folder in folders {
                let _ = std::fs::remove_file(folder.join(file_name(&named)));
            }
            return true;
        }
        let opened = folders.iter().find_map(|folder| match open_named(folder, &named, from) {
            Err(Refusal::Missing) => None,
            other => Some(other),
        });
        match opened {
            Some(Ok((mut ring, identity))) => {
                if ring.is_left() && !has_next(&named, folders) {
                    // What comes next has been read, too: this one was kept for reuse, and the ring goes on further up.
                    return true;
                }
                self.kept.remove(&key);
                self.readers.register_foreign(ring, identity, folders.to_vec());
                true
            }
            // Not whole yet, or never to be: its process has put nothing into it.
            None | Some(Err(Refusal::Unfinished | Refusal::Missing)) => true,
            Some(Err(Refusal::Malformed(reason))) => {
                notice("ring", &format!("a ring of another process cannot be read: {reason}"));
                false
            }
        }
    }

    /// Takes leave of processes that are gone, once all they have left is written. Whether there was something to say about it.
    pub(super) fn bury_peers(&mut self) -> bool {
        let done = |peer: &&Peer| peer.gone.is_some() && !self.readers.any_of(peer.number);
        let numbers: Vec<u32> = self.peers.all.values().filter(done).map(|peer| peer.number).collect();
        let mut said = false;
        for number in numbers {
            let Some(mut peer) = self.peers.all.remove(&number) else { continue };
            self.queue.counters.add_dropped(&peer.new_drops(self.queue.counters.drop_counters()));
            self.kept.retain(|key, _| key.member != number);
            let (cause, recovered) = (peer.gone.unwrap_or(ExitCause::Unknown), peer.recovered);
            let left = peer.has_left();
            let kind = if left { WorkerEventKind::Left } else { WorkerEventKind::Died { cause, recovered } };
            if let Some(watch) = &self.watch {
                watch.tell(&peer, kind);
            }
            if !left {
                self.queue.counters.recovered.fetch_add(recovered, Ordering::Relaxed);
                let message = format!(
                    "Worker {} died: process {}, since {}, {cause}; {}",
                    peer.name,
                    peer.about.process_id,
                    moment(peer.about.since),
                    recovered_records(recovered)
                );
                self.say(0, Level::Warning, &message);
                said = true;
            }
            self.remove_rings(number);
            peer.remove_files();
        }
        said
    }

    /// Removes files of rings that a process which is gone had not yet put anything into. One that holds records, or is no ring at all,
    /// stays for the next start.
    fn remove_rings(&self, member: u32) {
        let Some(watch) = &self.watch else { return };
        for folder in [&watch.folder, &watch.spill] {
            for name in names(folder).iter().filter(|name| is_ring_of(name, member)) {
                let path = folder.join(name);
                if ForeignRing::is_unused(&path) {
                    let _ = std::fs::remove_file(path);
                }
            }
        }
    }

    /// At the end: takes processes that are gone, or have taken leave, for what they are, so that nothing of them stays.
    pub(super) fn see_peers_off(&mut self) {
        self.find_peers();
        let now = self.calibration.clock().monotonic();
        let mut off = Vec::new();
        for peer in self.peers.all.values_mut() {
            let gone = matches!(peer.look(now, true), Some(Change::Gone));
            if gone || peer.has_left() {
                peer.gone.get_or_insert(ExitCause::Unknown);
                off.push(peer.number);
            }
        }
        off.iter().for_each(|&number| self.readers.orphan(number));
    }

    /// Whether the next pass has to look at the processes, because one is gone.
    pub(super) fn any_to_bury(&mut self) -> bool {
        self.find_peers();
        self.peers.any_to_bury()
    }

    /// At the end: whether other processes go on in the directory, or have died there this very moment, decides what stays in it.
    pub(super) fn leave_peers(&mut self) {
        self.find_peers();
        if !self.peers.all.is_empty()
            && let Some(watch) = &self.watch
        {
            // All that was read is freed: the next listener begins there, and leaves the files as it finds them.
            if let Some(checkpoint) = &mut self.checkpoint {
                checkpoint.invalidate();
            }
            (watch.keep)();
        }
        if let Some(membership) = self.queue.joined() {
            membership.remove_files();
        }
    }

    /// What is unread in the rings of other processes is the next listener's, and counts there.
    pub(super) fn leave_the_rest(&mut self) {
        let unread = self.readers.unread_elsewhere();
        self.queue.accepted_elsewhere.fetch_sub(unread, Ordering::Relaxed);
    }

    /// Whether another process wants to be the listener.
    pub(super) fn is_succeeded(&self) -> bool {
        self.watch.is_some() && self.queue.page().listener.successor.load(Ordering::Acquire) != 0
    }

    /// Whether another process can read all that this one reads, and is still there to do so: it asks again and again, so that the first time
    /// is answered by nothing but a wait for the second.
    pub(super) fn may_hand_over(&mut self) -> bool {
        let unnamed = self.readers.any_unnamed();
        let successor = self.queue.page().listener.successor.load(Ordering::Relaxed);
        if unnamed
            && let Some(watch) = &mut self.watch
            && std::mem::replace(&mut watch.refused, successor) != successor
        {
            notice(
                "hand-over",
                &format!(
                    "cannot hand the listener over to process {successor}: rings of this process are in memory that no other \
                     process sees"
                ),
            );
        }
        let Some(watch) = &mut self.watch else { return false };
        if unnamed {
            return false;
        }
        let is_there = watch.asked.replace(Instant::now()).is_some_and(|asked| asked.elapsed() < STILL_THERE);
        if !is_there {
            self.queue.page().listener.successor.store(0, Ordering::Release);
        }
        is_there
    }

    /// Finishes what is under way, and gives the directory to the process that asked for it. This process's own rings are read by that one
    /// from now on.
    pub(super) fn hand_over(mut self) {
        self.close_sinks();
        self.readers.free();
        self.settle();
        self.leave_the_rest();
        self.publish_stats();
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.invalidate();
        }
        self.queue.become_guest();
        self.queue.start_beating();
        if let Some(watch) = &self.watch {
            (watch.keep)();
            (watch.release)();
        }
    }
}

/// Whether a ring has a segment after this one.
fn has_next(segment: &Identity, folders: &[PathBuf]) -> bool {
    let next = file_name(&Identity { generation: segment.generation + 1, ..segment.clone() });
    folders.iter().any(|folder| folder.join(&next).exists())
}

fn is_ring_of(name: &str, member: u32) -> bool {
    ring_of(name).is_some_and(|(key, _)| key.member == member)
}

/// "recovered 3 records".
pub(super) fn recovered_records(count: u64) -> String {
    format!("recovered {}", records(count))
}
