//! What is shown of a sink that fails in part: not rotated, a line torn, a layout that cannot write.

use super::*;

#[test]
fn a_file_that_cannot_be_made_anew_by_a_rotation_fails_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logs");
    let folder = Folder::open(&path).unwrap();
    let slots = standard_slots(&folder, None, &["app", "db"], false, 0).unwrap();
    let mut router = Router::new(domains(), vec![Box::new(Plain(""))], slots);
    log(&mut router, 0, Level::Info, "1").unwrap();
    router.deliver(&mut |_| {});
    fs::remove_dir_all(&path).unwrap();
    let [error] = &router.rotate(0)[..] else { panic!("the folder is gone") };
    assert!(error.contains("app.log") && error.contains("removed"), "{error}");
    let stats = router.stats(0);
    assert_eq!((stats[0].fault.as_ref(), stats[0].errors), (Some(error), 1));
    assert_eq!((stats[1].fault.as_ref(), stats[1].errors), (None, 0), "an empty file is not rotated");
    router.tick(SECOND, 0, false, &mut |_| {});
    assert_eq!(router.stats(0)[0].state, SinkState::Failing);
}

/// A log file that cannot be rotated as long as it is told so.
struct Stiff(Arc<Mutex<bool>>);

impl Sink for Stiff {
    fn write(&mut self, _: &Batch<'_>) -> Result<(), SinkError> {
        Ok(())
    }

    fn rotate(&mut self, _: UnixNanos, ask: Rotate) -> Result<bool, SinkError> {
        match *self.0.lock().unwrap() {
            true if ask == Rotate::Now => Err(SinkError::retryable("cannot rotate it: no", 0)),
            _ => Ok(ask == Rotate::Now),
        }
    }

    fn is_log_file(&self) -> bool {
        true
    }
}

#[test]
fn a_file_that_cannot_be_rotated_works_and_has_a_fault_until_it_can() {
    let stiff = Arc::new(Mutex::new(true));
    let slots = vec![slot("stiff.log", Stiff(stiff.clone()), 0, Filter::ALL)];
    let mut router = Router::new(domains(), vec![Box::new(Plain(""))], slots);
    assert_eq!(router.rotate(0), ["cannot rotate it: no"]);
    log(&mut router, 0, Level::Info, "1").unwrap();
    router.deliver(&mut |_| {});
    router.tick(SECOND, 0, false, &mut |_| {});
    let stats = &router.stats(0)[0];
    assert_eq!((stats.written, stats.errors, stats.state), (1, 1, SinkState::Working));
    assert_eq!(stats.fault.as_deref(), Some("cannot rotate it: no"));
    *stiff.lock().unwrap() = false;
    assert!(router.rotate(0).is_empty());
    assert_eq!(router.stats(0)[0].fault, None);
}

/// Takes half a line of each batch, until it is told to go on; at the end it gives the half up.
#[derive(Clone, Default)]
struct Torn(Arc<Mutex<(Option<Vec<u8>>, u64)>>);

impl Sink for Torn {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        let line = batch.iter().next().map(|line| line.as_bytes().to_vec());
        let owed = &mut self.0.lock().unwrap().0;
        let delivered = usize::from(owed.is_none());
        *owed = owed.take().or(line);
        Err(SinkError::retryable("no room", delivered))
    }

    fn close(&mut self, _: Instant) -> Result<(), SinkError> {
        let mut state = self.0.lock().unwrap();
        state.1 += u64::from(state.0.take().is_some());
        Err(SinkError::retryable("no room", 0))
    }

    fn lost(&self) -> u64 {
        self.0.lock().unwrap().1
    }

    fn is_torn(&self) -> bool {
        self.0.lock().unwrap().0.is_some()
    }
}

#[test]
fn a_torn_line_is_one_record_while_it_waits_and_at_the_end() {
    let slots = vec![slot("torn", Torn::default(), 0, Filter::ALL)];
    let mut router = Router::new(domains(), vec![Box::new(Plain(""))], slots);
    for text in ["1", "2", "3"] {
        log(&mut router, 0, Level::Info, text).unwrap();
    }
    router.deliver(&mut |_| {});
    let stats = &router.stats(0)[0];
    assert_eq!((stats.written, stats.held, stats.dropped), (0, 3, 0));
    assert_eq!(router.shutdown(soon(), &mut |_| {}).dropped, 3);
    let stats = &router.stats(0)[0];
    assert_eq!((stats.written, stats.held, stats.dropped), (0, 0, 3));
}

#[test]
fn what_a_layout_of_its_own_cost_a_file_is_told_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let slots = standard_slots(&folder, None, &["app", "db"], false, 0).unwrap();
    let mut router = Router::new(domains(), vec![Box::new(Plain(""))], slots);
    for (text, cause) in
        [("panic in the layout", "its layout panicked"), ("error in the layout", "its layout failed: no")]
    {
        log(&mut router, 0, Level::Info, text).unwrap();
        let [untold] = &router.take_untold()[..] else { panic!("nothing to tell") };
        assert_eq!((&*untold.cause, untold.dropped[Level::Info as usize]), (cause, 1));
    }
}
