//! What may stand at a log file's path, and folders that cannot be written.
// F29, F34, F59, F58, U-08, M-31, P6

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use miu_log_tests::{Place, logs, names, run, wait, wait_until};

/// Opening must fail, naming the file and the reason; what stands there stays as it is.
fn refused(place: &Place, reason: &str) {
    let error = logs::Repository::open(place.config()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("app.log") && text.contains(reason), "{text}");
    assert!(!error.is_in_use());
    // Nothing keeps the folder: the next attempt fails for the same reason, not because it is in use.
    assert_eq!(logs::Repository::open(place.config()).unwrap_err().to_string(), text);
}

fn place_with_folder() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.logs()).unwrap();
    place
}

#[test]
fn a_fifo_is_refused_without_waiting_for_a_reader() {
    let place = place_with_folder();
    assert!(Command::new("mkfifo").arg(place.log("app.log")).status().unwrap().success());
    refused(&place, "it is a FIFO");
}

#[test]
fn a_folder_is_refused() {
    let place = place_with_folder();
    std::fs::create_dir(place.log("app.log")).unwrap();
    refused(&place, "it is a folder");
}

#[test]
fn a_socket_is_refused() {
    let place = place_with_folder();
    let _socket = UnixListener::bind(place.log("app.log")).unwrap();
    refused(&place, "it is a socket");
}

#[test]
fn a_device_is_refused() {
    let place = place_with_folder();
    let made = Command::new("mknod").arg(place.log("app.log")).args(["c", "1", "7"]).status().unwrap();
    assert!(made.success(), "this scenario makes a device node, which takes root");
    refused(&place, "it is a device");
}

#[test]
fn a_symbolic_link_is_not_followed() {
    for target in ["/dev/full", "victim"] {
        let place = place_with_folder();
        let victim = place.root().join(target);
        if target == "victim" {
            std::fs::write(&victim, "precious").unwrap();
        }
        symlink(&victim, place.log("app.log")).unwrap();
        refused(&place, "it is a symbolic link");
        if target == "victim" {
            assert_eq!(std::fs::read_to_string(victim).unwrap(), "precious");
        }
    }
}

#[test]
fn a_dangling_link_makes_no_file_elsewhere() {
    let place = place_with_folder();
    symlink(place.root().join("elsewhere"), place.log("app.log")).unwrap();
    refused(&place, "it is a symbolic link");
    assert!(!place.root().join("elsewhere").exists());
}

#[test]
fn a_hard_link_is_refused() {
    let place = place_with_folder();
    let victim = place.root().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::fs::hard_link(&victim, place.log("app.log")).unwrap();
    refused(&place, "it is a hard link");
    assert_eq!(std::fs::read_to_string(victim).unwrap(), "precious");
}

#[test]
fn a_file_that_comes_later_is_held_to_the_same_rules() {
    let place = place_with_folder();
    let victim = place.root().join("victim");
    symlink(&victim, place.log("success.log")).unwrap();
    let repo = logs::Repository::open(place.config()).unwrap();
    repo.app.success("its level's file is a link");
    assert!(repo.flush(crate::FLUSH).is_ok() || repo.stats().sinks.iter().any(|sink| sink.errors > 0));
    repo.shutdown();
    assert!(!victim.exists());
    assert_eq!(place.messages("app.log"), ["its level's file is a link"]);
    let stats = repo.stats();
    let sink = stats.sinks.iter().find(|sink| sink.name == "success.log").unwrap();
    assert!(sink.errors > 0 && sink.written == 0 && sink.dropped + sink.held == 1, "{sink:?}");
}

#[test]
fn a_file_where_the_folder_should_be_is_an_error_with_path_and_user() {
    let place = Place::new();
    std::fs::write(place.logs(), "").unwrap();
    let text = logs::Repository::open(place.config()).unwrap_err().to_string();
    let path = format!("{:?}", place.logs());
    assert!(text.contains(&path) && text.contains("as user ") && text.contains("os error"), "{text}");
}

#[test]
fn an_empty_path_is_an_error() {
    let text = logs::Repository::open(miu_log::LogConfig::new("").console(false)).unwrap_err().to_string();
    assert!(text.contains("empty"), "{text}");
}

/// Runs the child as a user without rights, on a place whose root that user can enter.
fn as_nobody(place: &Place) -> miu_log_tests::Outcome {
    run(nobody(place, "open").arg(place.logs()))
}

/// The child as a user without rights, in this role.
fn nobody(place: &Place, role: &str) -> Command {
    assert!(
        rustix::process::geteuid().is_root() && crate::is_installed("setpriv"),
        "this scenario takes root and setpriv to become a user without rights"
    );
    // The program may lie where only its owner can go.
    let program = place.root().join("program");
    // By another program: what this one has open for writing when another test starts a process could not be run.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_child")).arg(&program).status();
    assert!(copied.unwrap().success());
    std::fs::set_permissions(place.root(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(place.runtime(), PermissionsExt::from_mode(0o777)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command.arg(role).env("MIU_LOG_RUNTIME_DIR", place.runtime());
    command
}

#[test]
fn a_folder_that_may_not_be_made_is_an_error_with_path_and_user() {
    let place = Place::new();
    let outcome = as_nobody(&place);
    let text = outcome.printed();
    assert!(
        text.contains("logs") && text.contains("as user 65534") && text.contains("Permission denied"),
        "{text}"
    );
}

#[test]
fn a_folder_that_may_not_be_written_is_an_error_with_path_and_user() {
    let place = place_with_folder();
    std::fs::set_permissions(place.logs(), PermissionsExt::from_mode(0o755)).unwrap();
    let outcome = as_nobody(&place);
    let text = outcome.printed();
    assert!(
        text.contains("app.log") && text.contains("as user 65534") && text.contains("Permission denied"),
        "{text}"
    );
    assert_eq!(names(&place.logs()), [""; 0]);
}

#[test]
fn a_folder_of_ones_own_needs_no_other_rights() {
    let place = place_with_folder();
    std::os::unix::fs::chown(place.logs(), Some(65534), Some(65534)).unwrap();
    assert_eq!(as_nobody(&place).printed(), "opened");
    assert_eq!(place.messages("app.log"), ["opened"]);
}

/// A process that logs a record for each call of `log`, and tells what has become of it.
struct OnCommand {
    process: std::process::Child,
    said: BufReader<std::process::ChildStdout>,
}

impl OnCommand {
    fn start(mut command: Command) -> OnCommand {
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        OnCommand { process, said }
    }

    fn log(&mut self) -> String {
        writeln!(self.process.stdin.as_mut().unwrap()).unwrap();
        let mut answer = String::new();
        self.said.read_line(&mut answer).unwrap();
        answer
    }

    fn end(mut self) {
        drop(self.process.stdin.take());
        assert!(wait(&mut self.process).success());
    }
}

#[test]
fn a_folder_that_becomes_read_only_has_its_lines_waiting_until_it_is_not() {
    let place = place_with_folder();
    std::os::unix::fs::chown(place.logs(), Some(65534), Some(65534)).unwrap();
    let mut command = nobody(&place, "success-on-command");
    command.arg(place.logs());
    let mut process = OnCommand::start(command);
    // Its first record comes after the folder has become read-only.
    wait_until("it is open", || place.log("error.log").exists());
    std::fs::set_permissions(place.logs(), PermissionsExt::from_mode(0o555)).unwrap();
    for held in 1..=3 {
        let answer = process.log();
        assert!(answer.starts_with(&format!("Failing held={held} ")), "{answer}");
        assert!(answer.contains("success.log") && answer.contains("Permission denied"), "{answer}");
    }
    std::fs::set_permissions(place.logs(), PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(process.log(), "Working held=0 \n");
    process.end();
    assert_eq!(place.messages("success.log"), ["number 0", "number 1", "number 2", "number 3"]);
    assert_eq!(place.messages("app.log").len(), 4);
}

#[test]
fn a_rotation_in_a_folder_that_became_read_only_is_an_error_that_names_the_file() {
    let place = place_with_folder();
    std::os::unix::fs::chown(place.logs(), Some(65534), Some(65534)).unwrap();
    let mut command = nobody(&place, "rotate-on-command");
    command.arg(place.logs());
    let mut process = OnCommand::start(command);
    assert_eq!(process.log(), "Working written=1 rotated / \n");
    std::fs::set_permissions(place.logs(), PermissionsExt::from_mode(0o555)).unwrap();
    for written in 2..=3 {
        let answer = process.log();
        let start = format!("Working written={written} not every log file was rotated: ");
        assert!(answer.starts_with(&start), "{answer}");
        // In the error, and in the counters of the sink.
        assert_eq!(answer.matches("cannot rotate").count(), 2, "{answer}");
        assert!(answer.contains("app.log: Permission denied") && !answer.contains("db.log"), "{answer}");
    }
    std::fs::set_permissions(place.logs(), PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(process.log(), "Working written=4 rotated / \n");
    process.end();
    assert_eq!(place.text("app.log"), "");
}

#[test]
fn a_file_that_becomes_immutable_has_its_lines_waiting_until_it_is_not() {
    let place = place_with_folder();
    let mut process = OnCommand::start(crate::child(&place, "success-on-command"));
    assert_eq!(process.log(), "Working held=0 \n");
    let chattr = |change: &str| {
        let status = Command::new("chattr").arg(change).arg(place.log("success.log")).status();
        status.is_ok_and(|status| status.success())
    };
    if !chattr("+i") {
        // Not every file system has such a mark.
        return process.end();
    }
    let answers = [process.log(), process.log()];
    assert!(chattr("-i"));
    assert!(answers[1].starts_with("Failing held=2 ") && answers[1].contains("not permitted"), "{answers:?}");
    assert_eq!(process.log(), "Working held=0 \n");
    process.end();
    assert_eq!(place.messages("success.log"), ["number 0", "number 1", "number 2", "number 3"]);
}
