//! Reads back what a child wrote: every line whole, every record where it belongs, exactly once, in its
//! thread's order.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::Failure;
use crate::order::{Domain, IDS_PER_THREAD, Level, Order};
use crate::peer::{Plan, Workload};

/// What was found in the files of one measurement.
#[derive(Debug, Default, Clone, Copy)]
pub struct Found {
    /// Records that must be there.
    pub expected: u64,
    /// Records found at least once (when routed: in both their files).
    pub found: u64,
    /// Copies beyond the first.
    pub repeated: u64,
    /// Lines that are no whole record: torn, in the wrong file, with the wrong level, or the logger's own
    /// remarks.
    pub foreign: u64,
    /// Where processes come and go: lines in which the logger says so.
    pub remarks: u64,
    /// Records behind a later one of their own thread in the same file.
    pub out_of_order: u64,
    /// Bytes in all files.
    pub bytes: u64,
}

impl Found {
    /// Share of the expected records that is missing, in percent.
    #[must_use]
    pub fn lost_percent(&self) -> f64 {
        (self.expected - self.found) as f64 * 100.0 / self.expected.max(1) as f64
    }
}

/// Checks the folder of a plan.
///
/// # Errors
///
/// When a file cannot be read.
pub fn check(plan: &Plan) -> Result<Found, Failure> {
    let total = plan.threads * plan.records_per_thread;
    let mut reader = Reader {
        plan,
        prices: (0..crate::order::PRICES).map(|id| Order::new(id).price.to_string()).collect(),
        by_domain: vec![0; total as usize],
        by_level: vec![0; total as usize],
        beside: vec![0; total as usize],
        found: Found { expected: total, ..Found::default() },
    };
    reader.folder(&plan.dir)?;
    let Reader { by_domain, by_level, beside, mut found, .. } = reader;
    for ((domain, level), beside) in by_domain.into_iter().zip(by_level).zip(beside) {
        let complete = (domain > 0)
            && (level > 0 || !plan.routes())
            && (beside > 0 || plan.workload != Workload::Production);
        found.found += u64::from(complete);
        found.repeated +=
            [domain, level, beside].map(|copies| u64::from(copies.saturating_sub(1))).iter().sum::<u64>();
    }
    Ok(found)
}

struct Reader<'a> {
    plan: &'a Plan,
    prices: Vec<String>,
    by_domain: Vec<u8>,
    by_level: Vec<u8>,
    /// In the file of all records beside the others, where there is one.
    beside: Vec<u8>,
    found: Found,
}

/// What a file is there for, by its name.
#[derive(Clone, Copy)]
enum Purpose {
    Everything,
    Domain(Domain),
    Level(Level),
    /// Every record as JSON, beside the text.
    Beside,
    Unknown,
}

impl Reader<'_> {
    fn folder(&mut self, dir: &Path) -> Result<(), Failure> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Hidden folders hold a logger's own state (miu-log's rings, where there is no shared memory to
            // hold them).
            if !name.starts_with('.') && entry.file_type()?.is_file() {
                self.file(&entry.path(), self.purpose(&name))?;
            }
        }
        Ok(())
    }

    /// Loggers decorate names (`app.2026-11-20.log`), so only what stands before the first dot counts.
    fn purpose(&self, name: &str) -> Purpose {
        if !self.plan.routes() {
            return Purpose::Everything;
        }
        let stem = name.split('.').next().unwrap_or(name);
        if self.plan.workload == Workload::Production && stem == "events" {
            return Purpose::Beside;
        }
        Domain::from_name(stem)
            .map(Purpose::Domain)
            .or_else(|| Level::ALL.into_iter().find(|level| level.as_str() == stem).map(Purpose::Level))
            .unwrap_or(Purpose::Unknown)
    }

    fn file(&mut self, path: &Path, purpose: Purpose) -> Result<(), Failure> {
        let file = fs::File::open(path)?;
        let bytes: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
            Box::new(flate2::read::MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let mut lines = BufReader::with_capacity(1 << 20, bytes);
        let mut last = vec![None; self.plan.threads as usize];
        let mut line = Vec::with_capacity(256);
        loop {
            line.clear();
            let read = lines.read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(());
            }
            self.found.bytes += read as u64;
            match self.record(&line, purpose) {
                Some((thread, position)) => {
                    self.found.out_of_order += u64::from(last[thread] > Some(position));
                    last[thread] = last[thread].max(Some(position));
                    let seen = match purpose {
                        Purpose::Level(_) => &mut self.by_level,
                        Purpose::Beside => &mut self.beside,
                        _ => &mut self.by_domain,
                    };
                    let index = thread * self.plan.records_per_thread as usize + position as usize;
                    seen[index] = seen[index].saturating_add(1);
                }
                None if self.is_remark(&line) => self.found.remarks += 1,
                None => self.found.foreign += 1,
            }
        }
    }

    fn is_remark(&self, line: &[u8]) -> bool {
        let about_processes =
            |message: &str| message.starts_with("Worker ") || message.contains("recovered ");
        self.plan.workload == Workload::Processes
            && std::str::from_utf8(line)
                .ok()
                .and_then(|line| line.strip_suffix('\n')?.splitn(4, " | ").nth(3))
                .is_some_and(about_processes)
    }

    /// Thread and position of the record in a line, if the line is one, whole, and in a file that it belongs
    /// to.
    fn record(&self, line: &[u8], purpose: Purpose) -> Option<(usize, u64)> {
        let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
        if self.plan.workload == Workload::Json {
            return self.json_record(line);
        }
        if matches!(purpose, Purpose::Beside) {
            return self.json_beside(line);
        }
        let mut parts = line.splitn(4, " | ");
        let (stamp, level, place, message) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (id, price_and_symbol) = message.strip_prefix("order ")?.split_once(" filled at ")?;
        let id: u64 = id.parse().ok()?;
        let order = Order::new(id);
        let (price, symbol) = price_and_symbol.split_once(" for ")?;
        let same_level = match (self.plan.routes(), order.level()) {
            (false, _) | (true, Level::Info) => level.eq_ignore_ascii_case("info"),
            (true, Level::Debug) => level.eq_ignore_ascii_case("debug"),
            (true, Level::Warning) => {
                level.trim_end().eq_ignore_ascii_case("warning") || level.eq_ignore_ascii_case("warn")
            }
            (true, Level::Error) => level.eq_ignore_ascii_case("error"),
        };
        let (module, source_line) = place.rsplit_once(':')?;
        let whole = stamp_is_whole(stamp)
            && same_level
            && !module.is_empty()
            && source_line.parse::<u32>().is_ok()
            && price == self.prices[(id % crate::order::PRICES) as usize]
            && symbol == order.symbol;
        let belongs = match purpose {
            Purpose::Everything => true,
            Purpose::Domain(domain) => order.domain() == domain,
            Purpose::Level(level) => order.level() == level,
            Purpose::Beside | Purpose::Unknown => false,
        };
        (whole && belongs).then(|| self.place(id))?
    }

    /// The same for a line of JSON. Loggers differ in where they put time, message and fields.
    fn json_record(&self, line: &str) -> Option<(usize, u64)> {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let fields = line.get("extra").or_else(|| line.get("fields"))?;
        let message = line.get("message").or_else(|| fields.get("message"))?;
        let id = fields["id"].as_u64()?;
        let order = Order::new(id);
        let whole = line["timestamp"].is_string()
            && line["level"] == "INFO"
            && message == "order filled"
            && fields["price"] == order.price
            && fields["symbol"] == order.symbol;
        whole.then(|| self.place(id))?
    }

    /// The same for a line of JSON without fields.
    fn json_beside(&self, line: &str) -> Option<(usize, u64)> {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let (id, _) = line["message"].as_str()?.strip_prefix("order ")?.split_once(" filled at ")?;
        let id: u64 = id.parse().ok()?;
        let order = Order::new(id);
        let price = &self.prices[(id % crate::order::PRICES) as usize];
        let whole = line["message"] == format!("order {id} filled at {price} for {}", order.symbol)
            && line["level"].as_str()?.eq_ignore_ascii_case(order.level().as_str())
            && line["logger"] == order.domain().as_str();
        whole.then(|| self.place(id))?
    }

    /// Thread and position of a record, if it is one of the plan's.
    fn place(&self, id: u64) -> Option<(usize, u64)> {
        let thread = (id / IDS_PER_THREAD).checked_sub(1)?;
        let position = id % IDS_PER_THREAD;
        let in_plan = thread < self.plan.threads && position < self.plan.records_per_thread;
        in_plan.then_some((thread as usize, position))
    }
}

/// `YYYY-MM-DD HH:MM:SS.mmm`; ftlog always adds its delay (` 0ms`) behind it.
fn stamp_is_whole(stamp: &str) -> bool {
    let stamp = stamp.as_bytes();
    let Some((stamp, rest)) = stamp.split_at_checked(23) else { return false };
    let shape = b"0000-00-00 00:00:00.000";
    let digits_and_separators = stamp.iter().zip(shape).all(|(found, wanted)| match wanted {
        b'0' => found.is_ascii_digit(),
        separator => found == separator,
    });
    digits_and_separators && (rest.is_empty() || rest.ends_with(b"ms"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsc::Pair;

    fn check_text(text: &str) -> Result<Found, Failure> {
        let dir = std::env::temp_dir().join(format!("miu-log-verify-{}-{}", std::process::id(), text.len()));
        fs::create_dir_all(&dir)?;
        fs::write(dir.join("app.log"), text)?;
        let plan = Plan {
            dir: dir.clone(),
            workload: Workload::Throughput,
            threads: 1,
            records_per_thread: 3,
            pair: Pair::Plain,
            probe: || 0,
        };
        let found = check(&plan);
        fs::remove_dir_all(dir)?;
        found
    }

    #[test]
    fn missing_torn_and_repeated_lines_are_told_apart() -> Result<(), Failure> {
        let good = "2026-11-20 12:00:00.123 | INFO | a::b:7 | order 10000000 filled at 100 for BTC\n";
        let other = "2026-11-20 12:00:00.123 | INFO | a::b:7 | order 10000001 filled at 100.25 for ETH\n";
        let torn = "2026-11-20 12:00:00.123 | INFO | a::b:7 | order 10000002 filled at 100.5 for SO\n";
        let found = check_text(&[other, good, good, torn].concat())?;
        assert_eq!((found.found, found.repeated, found.foreign, found.out_of_order), (2, 1, 1, 2));
        Ok(())
    }
}
