//! A web service whose records say which request they belong to, and that outlives its handlers' panics.
//!
//! A middleware gives each request its identity, as context of everything that is logged for it. A handler that panics costs its own request an answer
//! with status 500 and the log a CRITICAL record. The service here asks itself four things, then shuts down gracefully; Ctrl+C does so earlier.

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use miu_log::context::{Context, InContext, REQUEST_ID, USER_ID, short_id};
use miu_log::{LogConfig, Pattern, log_domains};
use miu_log_examples::{log_folder, tree};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// The areas of the service.
#[log_domains(app, db, http)]
pub mod logs {}

type Logs = &'static logs::Repository;

fn header(request: &Request, name: &str) -> Option<String> {
    Some(request.headers().get(name)?.to_str().ok()?.to_owned())
}

/// Gives each request its context, and an answer whatever becomes of its handler.
async fn in_context(State(repo): State<Logs>, request: Request, next: Next) -> Response {
    let id = header(&request, "x-request-id").unwrap_or_else(|| short_id("req"));
    let mut context = Context::new().with(&REQUEST_ID, &id);
    if let Some(user) = header(&request, "x-user") {
        context = context.with(&USER_ID, user);
    }
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    // A task of its own: a panic ends it, and nothing else.
    let answered = tokio::spawn(next.run(request).in_context(&context)).await;
    context.run(|| {
        let mut response = answered.unwrap_or_else(|died| {
            miu_log::critical!(repo.app, cause = %panic_text(died), "a handler panicked");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        });
        miu_log::info!(repo.http, status = response.status().as_u16(), "{method} {path}");
        if let Ok(value) = id.parse() {
            response.headers_mut().insert("x-request-id", value);
        }
        response
    })
}

fn panic_text(died: tokio::task::JoinError) -> String {
    match died.try_into_panic().map(|panic| panic.downcast::<String>()) {
        Ok(Ok(text)) => *text,
        Ok(Err(panic)) => panic.downcast_ref::<&str>().map_or_else(String::new, |text| (*text).to_owned()),
        Err(cancelled) => cancelled.to_string(),
    }
}

async fn order(State(repo): State<Logs>, Path(order): Path<u32>) -> Response {
    miu_log::debug!(repo.db, order, "select");
    tokio::task::yield_now().await;
    if order > 100 {
        miu_log::warning!(repo.db, order, "no such order");
        return StatusCode::NOT_FOUND.into_response();
    }
    let user = USER_ID.get();
    format!("order {order} of {user}\n").into_response()
}

async fn broken() -> Response {
    panic!("the shelf is empty");
}

/// Asks the service for a page. Its status and body.
async fn ask(address: SocketAddr, path: &str, headers: &str) -> Result<(String, String), Box<dyn Error>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    let status = head.split(' ').nth(1).ok_or("no status")?;
    Ok((status.to_owned(), body.to_owned()))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = log_folder();
    let repo = logs::init(LogConfig::new(&folder).console(false).layout(Pattern::context()))?;
    // What a handler's panic says is logged; stderr need not have it too.
    std::panic::set_hook(Box::new(|_| {}));

    let service = Router::new()
        .route("/orders/{order}", get(order))
        .route("/broken", get(broken))
        .layer(from_fn_with_state(repo, in_context))
        .with_state(repo);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    repo.app.info("service started");
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        tokio::select! {
            _ = stopped => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    let serving =
        tokio::spawn(async { axum::serve(listener, service).with_graceful_shutdown(shutdown).await });

    for (path, headers) in [
        ("/orders/7", "x-request-id: r-1\r\nx-user: ann\r\n"),
        ("/orders/700", "x-request-id: r-2\r\n"),
        ("/broken", "x-request-id: r-3\r\nx-user: joe\r\n"),
        ("/orders/8", ""),
    ] {
        let (status, body) = ask(address, path, headers).await?;
        println!("{path}: {status} {}", body.trim_end());
    }

    let _ = stop.send(());
    // Requests that are under way are answered first.
    serving.await??;
    repo.app.info("service stopped");
    let report = tokio::task::spawn_blocking(|| repo.shutdown()).await?;
    println!("{} records written, {} dropped", report.written, report.dropped);
    print!("{}", tree(&folder)?);
    Ok(())
}
