//! A PostgreSQL server of a test's own: in a temporary folder, on a free port of this machine, stopped and removed with the test.
//!
//! P1. No server outlives its test: a guardian, a shell that reads from a pipe of this process, stops it and removes its folder when the pipe is
//!     closed, which the system does however this process ends.
//! P2. Where the server's programs are missing, they are installed if this process may do so; otherwise the test fails and says what is missing.
//!
//! Used by scenarios and by benchmarks. Not durable: the server never waits for the disk.

mod install;

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use postgres::{Client, Config, NoTls};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait_until;

/// Who has everything in the server.
const SUPERUSER: &str = "postgres";

/// Who may log in: members of `passwords` with theirs, everybody else without.
const ACCESS: &str = "\
local all all trust
host all +passwords 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
";

/// Below the ports that the system gives to outgoing connections.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A running server. It is stopped when the value is dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: tempfile::TempDir,
    programs: PathBuf,
    port: u16,
    settings: Vec<String>,
    server: Mutex<Option<Child>>,
    /// Ends by itself when its stdin is closed.
    guardian: Child,
}

impl Default for Postgres {
    fn default() -> Postgres {
        Postgres::start(&[])
    }
}

impl Postgres {
    /// A new server with these settings, such as `max_connections=5`.
    pub fn start(settings: &[&str]) -> Postgres {
        let programs = install::programs();
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        if is_root() {
            // The server refuses to be root.
            std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
            chown(folder.path(), Some(id("-u")), Some(id("-g"))).unwrap();
        }
        let made = as_server(&programs.join("initdb"))
            .args(["-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C", "-U", SUPERUSER, "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        std::fs::write(data.join("pg_hba.conf"), ACCESS).unwrap();
        let guardian = guardian(folder.path());
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let server = Mutex::new(None);
        let mut server = Postgres { folder, programs, port: 0, settings, server, guardian };
        while !server.begins_on(free_port()) {}
        server.sql("CREATE ROLE passwords NOLOGIN");
        server
    }

    /// The server that scenarios have in common which neither stop it nor change its settings: each has tables and roles of its own.
    pub fn shared() -> &'static Postgres {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Postgres::default)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its socket, for connections without TCP.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Its address for the superuser.
    pub fn url(&self) -> String {
        self.url_of(SUPERUSER)
    }

    /// Its address for this user, or `user:password`.
    pub fn url_of(&self, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/postgres", self.port)
    }

    /// A connection of the superuser.
    pub fn connect(&self) -> Client {
        self.try_connect().unwrap()
    }

    fn try_connect(&self) -> Result<Client, postgres::Error> {
        let mut config: Config = self.url().parse()?;
        config.connect_timeout(crate::DEADLINE).connect(NoTls)
    }

    /// Has the superuser execute this.
    pub fn sql(&self, statements: &str) {
        self.connect().batch_execute(statements).unwrap();
    }

    /// Stops it in good order, as for an update: connections are closed.
    pub fn stop(&self) {
        let mut server = self.server.lock().unwrap();
        if let Some(mut child) = server.take() {
            signal(child.id(), Signal::INT);
            crate::wait(&mut child);
        }
    }

    /// Kills it with all its processes, as by a loss of power.
    pub fn kill(&self) {
        let mut server = self.server.lock().unwrap();
        let Some(mut child) = server.take() else { return };
        let below = children(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        for process in &below {
            signal(*process, Signal::KILL);
        }
        wait_until("the server's processes are gone", || below.iter().all(|process| is_gone(*process)));
    }

    /// Starts it again after `stop` or `kill`, at the same address.
    pub fn start_again(&self) {
        assert!(self.begins(), "{}", self.log());
    }

    /// Keeps it from doing anything until `go_on`: connections stay, and nothing answers.
    pub fn freeze(&self) {
        self.signal_all(Signal::STOP);
    }

    /// Ends `freeze`.
    pub fn go_on(&self) {
        self.signal_all(Signal::CONT);
    }

    fn signal_all(&self, which: Signal) {
        if let Some(child) = &*self.server.lock().unwrap() {
            // The parent first: it starts no more of them.
            signal(child.id(), which);
            for process in children(child.id()) {
                signal(process, which);
            }
        }
    }

    /// From now on it offers TLS with this certificate and its key, as PEM. New connections see it.
    pub fn with_certificate(&self, certificate: &str, key: &str) {
        let data = self.folder().join("data");
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = data.join(name);
            // The server insists on a key that nobody else can read.
            let _ = std::fs::remove_file(&path);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            if is_root() {
                chown(&path, Some(id("-u")), Some(id("-g"))).unwrap();
            }
        }
        let loaded = "SELECT pg_conf_load_time()::text";
        let mut client = self.connect();
        let before: String = client.query_one(loaded, &[]).unwrap().get(0);
        client.batch_execute("ALTER SYSTEM SET ssl = on").unwrap();
        client.batch_execute("SELECT pg_reload_conf()").unwrap();
        // It reads its settings when it gets to it, before it takes connections that come later.
        wait_until("the server has read its settings", || {
            let now: String = self.connect().query_one(loaded, &[]).unwrap().get(0);
            now != before
        });
    }

    /// Whether it could be started on this port.
    fn begins_on(&mut self, port: u16) -> bool {
        self.port = port;
        self.begins()
    }

    fn begins(&self) -> bool {
        let log = std::fs::File::options().create(true).append(true).open(self.folder().join("log")).unwrap();
        let mut command = as_server(&self.programs.join("postgres"));
        command.arg("-D").arg(self.folder().join("data"));
        let socket = format!("unix_socket_directories={}", self.folder().display());
        let port = format!("port={}", self.port);
        let fixed = [
            &*port,
            &socket,
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "shared_buffers=16MB",
            "max_wal_size=256MB",
        ];
        for setting in fixed.into_iter().chain(self.settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut runs = true;
        wait_until("the server takes connections", || {
            runs = child.try_wait().unwrap().is_none();
            !runs || self.try_connect().is_ok()
        });
        // Another program may have taken the port, and even be such a server.
        runs = runs && child.try_wait().unwrap().is_none();
        let log = self.log();
        assert!(runs || log.contains("Address already in use"), "the server does not start: {log}");
        if runs {
            *self.server.lock().unwrap() = Some(child);
        }
        runs
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.go_on();
        let server = self.server.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(child) = server {
            // At once: nothing of it is wanted any more.
            signal(child.id(), Signal::QUIT);
            let _ = child.wait();
        }
        drop(self.guardian.stdin.take());
        let _ = self.guardian.wait();
    }
}

/// A process that stops the server of this folder and removes the folder when its stdin is closed.
fn guardian(folder: &Path) -> Child {
    let script = "
        trap '' INT TERM HUP
        read -r _
        server=$(head -n 1 \"$0/data/postmaster.pid\" 2>&-)
        if [ -n \"$server\" ] && grep -q postgres \"/proc/$server/comm\" 2>&-; then
            kill -CONT $(cat \"/proc/$server/task/$server/children\") \"$server\" 2>&-
            kill -QUIT \"$server\" 2>&-
            while [ -d \"/proc/$server\" ] && ! grep -q 'State:.Z' \"/proc/$server/status\" 2>&-; do sleep 0.1; done
        fi
        rm -rf \"$0\"
    ";
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The program as the server's user.
fn as_server(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", SUPERUSER, "--regid", SUPERUSER, "--clear-groups", "--"]).arg(program);
    // Wherever the test stands, the server's user may not look there.
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The number of the server's user (`-u`) or group (`-g`).
fn id(which: &str) -> u32 {
    let output = Command::new("id").args([which, SUPERUSER]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// A port that nobody listens at, for the moment.
fn free_port() -> u16 {
    let chance = crate::now_nanos() / 1_000 + u64::from(std::process::id()) * 7_919;
    let first = PORTS.start + (chance % PORTS.len() as u64) as u16;
    let mut ports = (first..PORTS.end).chain(PORTS.start..first);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

fn signal(process: u32, which: Signal) {
    if let Some(pid) = Pid::from_raw(process as i32) {
        // One that is gone by now needs none.
        let _ = kill_process(pid, which);
    }
}

fn children(process: u32) -> Vec<u32> {
    let text =
        std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

fn is_gone(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with('Z')))
        .unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(server: &Postgres) -> bool {
        server.try_connect().is_ok()
    }

    #[test]
    fn a_server_is_stopped_killed_frozen_started_again_and_removed_with_its_value() {
        let server = Postgres::start(&["max_connections=7"]);
        let shown: String = server.connect().query_one("SHOW max_connections", &[]).unwrap().get(0);
        assert_eq!(shown, "7");
        server.sql("CREATE TABLE kept (id int)");
        server.stop();
        assert!(!answers(&server));
        server.start_again();
        server.kill();
        assert!(!answers(&server));
        server.start_again();
        server.sql("INSERT INTO kept VALUES (1)");
        server.freeze();
        server.go_on();
        server.sql("CREATE ROLE ann LOGIN PASSWORD 'right' IN ROLE passwords");
        let login = |user: &str| Client::connect(&server.url_of(user), NoTls).is_ok();
        assert!(login("ann:right") && !login("ann:wrong"));
        let process = server.server.lock().unwrap().as_ref().unwrap().id();
        let folder = server.folder().to_owned();
        // With what it does at its worst.
        server.freeze();
        drop(server);
        assert!(is_gone(process) && !folder.exists());
    }

    #[test]
    fn a_guardian_stops_the_server_and_removes_its_folder_when_nobody_else_does() {
        let mut server = Postgres::default();
        let process = server.server.lock().unwrap().as_ref().unwrap().id();
        server.freeze();
        // As the system does it when this process is killed.
        drop(server.guardian.stdin.take());
        crate::wait(&mut server.guardian);
        wait_until("the server has ended", || is_gone(process));
        assert!(!server.folder().exists());
    }
}
