//! The editor's side of the language server protocol: just enough to ask for completions.
//!
//! Messages are JSON-RPC behind a `Content-Length` header, over the server's stdin and stdout. One
//! thread reads; the caller waits for messages with a deadline, so that a server that hangs is an
//! error that says what was waited for. The server is killed when the client is dropped.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::ide::project::{Position, Project};

/// How long the server may take to load the crate and build its macros from nothing.
const READY_WITHIN: Duration = Duration::from_secs(420);
/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// How long completions may stay incomplete after the server has called itself ready.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);
/// The pause before the same question is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// The longest message that is believed.
const LONGEST_MESSAGE: usize = 256 << 20;

/// One thing the server offers.
#[derive(Debug)]
pub(super) struct Completion {
    pub(super) name: String,
    pub(super) kind: u64,
    pub(super) documentation: String,
}

/// A running rust-analyzer with one open file.
pub(super) struct Client {
    server: Child,
    stdin: ChildStdin,
    messages: Receiver<Value>,
    next_id: u64,
    uri: String,
    version: u64,
    /// What the server last said about itself.
    quiescent: bool,
    status: String,
}

impl Client {
    /// Starts the server on a project, shakes hands, and opens the project's file.
    pub(super) fn start(analyzer: &Path, project: &Project) -> Result<Self> {
        let log = project.log_path();
        let log = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut server = Command::new(analyzer)
            .current_dir(project.folder())
            .env("CARGO_TARGET_DIR", project.build_folder())
            // The wrapper's own flags belong to the build that runs this program.
            .env_remove("RUSTFLAGS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", analyzer.display()))?;
        let (Some(stdin), Some(stdout)) = (server.stdin.take(), server.stdout.take()) else {
            bail!("{} has no stdin or stdout", analyzer.display());
        };
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            // Ends with the server, or with the receiver.
            while let Ok(Some(message)) = read_message(&mut stdout) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let uri = file_uri(&project.source_path());
        let mut client = Self {
            server,
            stdin,
            messages,
            next_id: 0,
            uri,
            version: 1,
            quiescent: false,
            status: "no status was sent".to_owned(),
        };
        client.shake_hands(project)?;
        Ok(client)
    }

    fn shake_hands(&mut self, project: &Project) -> Result<()> {
        let folder = file_uri(&project.folder());
        let parameters = json!({
            "processId": std::process::id(),
            "rootUri": folder,
            "workspaceFolders": [{ "uri": folder, "name": "service" }],
            "capabilities": {
                "workspace": { "configuration": true, "workspaceFolders": true },
                "window": { "workDoneProgress": true },
                "textDocument": {
                    "completion": {
                        "completionItem": { "documentationFormat": ["markdown", "plaintext"], "snippetSupport": false },
                    },
                },
                "experimental": { "serverStatusNotification": true },
            },
            "initializationOptions": settings(),
        });
        self.request("initialize", &parameters)?;
        self.notify("initialized", &json!({}))?;
        let document = json!({
            "uri": self.uri, "languageId": "rust", "version": self.version, "text": project.complete_source(),
        });
        self.notify("textDocument/didOpen", &json!({ "textDocument": document }))
    }

    /// Waits until the server has loaded the crate, and says how long that took.
    pub(super) fn wait_until_ready(&mut self) -> Result<Duration> {
        let started = Instant::now();
        while !self.quiescent {
            let left = READY_WITHIN.saturating_sub(started.elapsed());
            self.receive(left, "the server to be ready")?;
        }
        Ok(started.elapsed())
    }

    /// Replaces the open file's text.
    pub(super) fn change(&mut self, text: &str) -> Result<()> {
        self.version += 1;
        let document = json!({ "uri": self.uri, "version": self.version });
        self.notify(
            "textDocument/didChange",
            &json!({ "textDocument": document, "contentChanges": [{ "text": text }] }),
        )
    }

    /// What is offered at a place, with documentation.
    ///
    /// A server that calls itself ready may still be taking in the macros it has just built, so the
    /// question is repeated for a while until the answer is good enough.
    pub(super) fn completions(
        &mut self,
        at: Position,
        enough: impl Fn(&[Completion]) -> bool,
    ) -> Result<Vec<Completion>> {
        let started = Instant::now();
        loop {
            let offers = self.completions_now(at)?;
            if enough(&offers) || started.elapsed() > SETTLED_WITHIN {
                return Ok(offers);
            }
            self.idle(ASK_AGAIN_AFTER)?;
        }
    }

    fn completions_now(&mut self, at: Position) -> Result<Vec<Completion>> {
        let parameters = json!({
            "textDocument": { "uri": self.uri },
            "position": { "line": at.line, "character": at.column },
            "context": { "triggerKind": 1 },
        });
        let answer = self.request("textDocument/completion", &parameters)?;
        let items = answer.as_array().or_else(|| answer["items"].as_array()).cloned().unwrap_or_default();
        let mut offers = Vec::with_capacity(items.len());
        for item in items {
            // Fields and methods of the crate come at once; the rest of the items matter to nobody here.
            let mut documentation = documentation(&item);
            if documentation.is_empty() && item.get("data").is_some() {
                documentation = self::documentation(&self.request("completionItem/resolve", &item)?);
            }
            let label = item["label"].as_str().unwrap_or_default();
            // The label of a method may show its parentheses and parameters.
            let name = label.split(['(', '…', ' ']).next().unwrap_or(label).to_owned();
            offers.push(Completion { name, kind: item["kind"].as_u64().unwrap_or(0), documentation });
        }
        Ok(offers)
    }

    /// Ends the server as the protocol wants it, as far as it still answers.
    pub(super) fn stop(mut self) {
        if self.request("shutdown", &Value::Null).is_ok() {
            // The server is killed on drop anyway, so a failure here changes nothing.
            let _ = self.notify("exit", &Value::Null);
        }
    }

    fn request(&mut self, method: &str, parameters: &Value) -> Result<Value> {
        let started = Instant::now();
        loop {
            self.next_id += 1;
            let id = self.next_id;
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }))?;
            let answer = loop {
                let left = ANSWER_WITHIN.saturating_sub(started.elapsed());
                let message = self.receive(left, &format!("the answer to {method}"))?;
                if message["id"].as_u64() == Some(id) && message.get("method").is_none() {
                    break message;
                }
            };
            match answer.get("error") {
                None => return Ok(answer["result"].clone()),
                // The server threw the question away because something changed: ask again.
                Some(error) if matches!(error["code"].as_i64(), Some(-32801 | -32802)) => {}
                Some(error) => bail!("{method} failed: {error}"),
            }
        }
    }

    fn notify(&mut self, method: &str, parameters: &Value) -> Result<()> {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": parameters }))
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        write_message(&mut self.stdin, message).context("cannot write to rust-analyzer")
    }

    /// Takes messages in for a while without waiting for a particular one.
    fn idle(&mut self, duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                Ok(message) => self.take_in(&message)?,
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => bail!("rust-analyzer ended: {}", self.status),
            }
        }
    }

    /// The next message, after the client's own duties on it are done.
    fn receive(&mut self, within: Duration, awaited: &str) -> Result<Value> {
        let message = self.messages.recv_timeout(within).map_err(|error| match error {
            RecvTimeoutError::Timeout => {
                anyhow!("rust-analyzer was too slow: waited for {awaited}; {}", self.status)
            }
            RecvTimeoutError::Disconnected => {
                anyhow!("rust-analyzer ended while waiting for {awaited}; {}", self.status)
            }
        })?;
        self.take_in(&message)?;
        Ok(message)
    }

    /// Answers the server's own requests and keeps its status.
    fn take_in(&mut self, message: &Value) -> Result<()> {
        let Some(method) = message["method"].as_str() else { return Ok(()) };
        if method == "experimental/serverStatus" {
            let status = &message["params"];
            let health = status["health"].as_str().unwrap_or("unknown");
            let detail = status["message"].as_str().unwrap_or("no further message");
            self.quiescent = status["quiescent"].as_bool().unwrap_or(false);
            self.status = format!("its health is {health}: {detail}");
            if health == "error" {
                bail!("rust-analyzer cannot load the crate: {detail}");
            }
        }
        if let Some(id) = message.get("id") {
            let result = match method {
                // One answer per section it asks for.
                "workspace/configuration" => {
                    let sections = message["params"]["items"].as_array().map_or(0, Vec::len);
                    Value::Array(vec![settings(); sections])
                }
                _ => Value::Null,
            };
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": result }))?;
        }
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended already; there is nobody to tell if it cannot be killed.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Macros are expanded and build scripts run, as in any editor; checking on save would only build more.
fn settings() -> Value {
    json!({
        "procMacro": { "enable": true, "attributes": { "enable": true } },
        "cargo": { "buildScripts": { "enable": true } },
        "checkOnSave": false,
        "cachePriming": { "enable": false },
        "completion": { "autoimport": { "enable": false }, "postfix": { "enable": false } },
    })
}

/// The documentation of an item, which is a string or a marked-up string.
fn documentation(item: &Value) -> String {
    let documentation = &item["documentation"];
    documentation.as_str().or_else(|| documentation["value"].as_str()).unwrap_or_default().to_owned()
}

/// A path as a `file:` address.
fn file_uri(path: &Path) -> String {
    let mut uri = String::from("file://");
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

/// Writes one message behind its header.
fn write_message(to: &mut impl Write, message: &Value) -> Result<()> {
    let body = message.to_string();
    write!(to, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    to.flush()?;
    Ok(())
}

/// Reads one message, or nothing at the end of the stream.
fn read_message(from: &mut impl BufRead) -> Result<Option<Value>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse::<usize>().context("the length in a header is not a number")?);
        }
    }
    let length = length.context("a message without a length")?;
    if length > LONGEST_MESSAGE {
        bail!("a message of {length} bytes");
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Some(serde_json::from_slice(&body).context("a message that is not JSON")?))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;
    use std::path::Path;

    use serde_json::json;

    use super::{file_uri, read_message, write_message};

    #[test]
    fn written_messages_read_back() {
        let mut bytes = Vec::new();
        let messages = [json!({ "id": 1, "method": "a" }), json!({ "text": "größer" })];
        for message in &messages {
            write_message(&mut bytes, message).expect("a Vec takes everything");
        }
        let mut reader = BufReader::new(bytes.as_slice());
        for message in messages {
            assert_eq!(read_message(&mut reader).expect("well formed"), Some(message));
        }
        assert_eq!(read_message(&mut reader).expect("the end"), None);
    }

    #[test]
    fn message_without_length_is_an_error() {
        let mut reader = BufReader::new("Content-Type: x\r\n\r\n{}".as_bytes());
        assert!(read_message(&mut reader).is_err());
    }

    #[test]
    fn path_is_escaped_in_its_address() {
        assert_eq!(file_uri(Path::new("/a b/ü.rs")), "file:///a%20b/%C3%BC.rs");
    }
}
