//! What the listener has to say itself, as records: what was lost and where, rings that are corrupt, levels whose time is over.
//!
//! Such a record goes through no ring. It is routed at once, behind what has been read so far, and has an id of its own. Called by the passes of the listener, and by
//! other parts of it.

use super::{LevelOfTarget, Listener, losses};
use crate::codec::{Args, Corrupt, tag};
use crate::level::Level;
use crate::notice::notice;
use crate::queue::{Ended, EndedTarget};
use crate::record::{Extra, Record, RecordId};
use crate::router::Router;
use crate::sync::Ordering;

/// What the listener's own records give as their thread.
const OWN_THREAD: &str = "miu-log";

impl Listener {
    /// Writes records of the listener's own, for the first domain.
    pub(crate) fn remark(&mut self, remarks: impl IntoIterator<Item = (Level, String)>) {
        for (level, text) in remarks {
            self.say(0, level, &text);
        }
    }

    /// Writes a record of the listener's own.
    pub(super) fn say(&mut self, domain: usize, level: Level, message: &str) {
        self.say_by(domain, level, message, |router, record| router.route(record, domain as u16));
    }

    fn say_by(
        &mut self,
        domain: usize,
        level: Level,
        message: &str,
        route: impl FnOnce(&mut Router, &Record<'_>) -> Result<(), Corrupt>,
    ) {
        let mut bytes = vec![tag::RENDERED];
        bytes.extend((message.len() as u32).to_le_bytes());
        bytes.extend(message.as_bytes());
        let ticks = self.calibration.clock().ticks();
        self.remarks += 1;
        let record = Record {
            time: self.calibration.unix(ticks),
            level,
            domain: self.queue.domains().get(domain).copied().unwrap_or(""),
            process: &self.process,
            thread: OWN_THREAD,
            process_id: std::process::id(),
            thread_id: 0,
            ring: u64::MAX,
            id: RecordId { source: self.own_source, sequence: self.remarks },
            site: &self.own_site,
            args: Args::new(&bytes),
            extra: Extra::NONE.with_defaults(self.defaults.as_bytes()),
        };
        if route(&mut self.router, &record).is_err() {
            notice("own", message);
        }
    }

    /// Writes the `dropped N records` lines.
    pub(super) fn report_losses(&mut self) {
        for peer in self.peers.all.values_mut().filter(|peer| peer.domains.is_none()) {
            self.queue.counters.add_dropped(&peer.new_drops(self.queue.counters.drop_counters()));
        }
        let Listener { readers, peers, losses, process, now, .. } = self;
        readers.gaps_at_the_end(|reader, first, last| {
            let peer = reader.member().and_then(|member| peers.all.get(&member));
            let process = peer.map_or(&**process, |peer| &peer.name);
            losses.note(reader.serial, || format!("{process}/{}", reader.thread), first, last, *now);
        });
        for (domain, message) in self.losses.since_last(&self.queue.counters, self.now) {
            self.say(domain, Level::Warning, &message);
        }
    }

    /// What log files had to do without, in those that work again.
    pub(super) fn tell_losses(&mut self) {
        for untold in self.router.take_untold() {
            for message in losses::of_a_file(&untold) {
                let (slot, domain) = (untold.slot, untold.domain);
                self.say_by(usize::from(domain), Level::Warning, &message, |router, record| {
                    router.route_to(slot, record, domain)
                });
            }
        }
    }

    pub(super) fn report_corrupt_rings(&mut self, rings: &[String]) {
        self.queue.counters.corrupt.fetch_add(rings.len() as u64, Ordering::Relaxed);
        for ring in rings {
            self.say(0, Level::Error, &format!("a ring is corrupt; what it held is given up: {ring}"));
        }
    }

    /// Ends levels whose time is over, and says so.
    pub(super) fn end_levels(&mut self, monotonic: u64) {
        for Ended { domain, was, is } in self.queue.end_temporary_levels(monotonic) {
            let text = format!("level is {is} again: the time for which {was} was set is over");
            self.say(domain.into(), Level::Info, &text);
        }
        for EndedTarget { target, was } in self.queue.end_target_levels(monotonic) {
            let now = self.level_of_target.as_ref().map(|level_of| level_of(&target));
            let (domain, is) = now.unwrap_or_else(|| (0, self.queue.level(0)));
            let text =
                format!("level of target {target} is {is} again: the time for which {was} was set is over");
            self.say(domain.into(), Level::Info, &text);
        }
    }

    /// What is asked where a level of a target is over.
    pub(crate) fn set_level_of_target(&mut self, level_of: LevelOfTarget) {
        self.level_of_target = Some(level_of);
    }
}
