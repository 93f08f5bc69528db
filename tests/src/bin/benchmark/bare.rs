//! What the server is compared with: actix-web that answers 302 and does nothing else.

use std::{path::Path, process::Stdio, thread::available_parallelism};

use actix_web::{App, HttpResponse, HttpServer, http::header::LOCATION, web};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Serves until it is killed.
pub async fn serve() -> std::io::Result<()> {
    let workers = available_parallelism()?.get();
    let server = HttpServer::new(|| App::new().default_service(web::to(answer)));
    let server = server.workers(workers).bind("127.0.0.1:0")?;
    println!("http://{}", server.addrs()[0]);
    server.run().await
}

async fn answer() -> HttpResponse {
    HttpResponse::Found().insert_header((LOCATION, "https://shop.example/sale?kcid=0123456789")).finish()
}

/// This program as a bare server, in a process of its own.
pub struct Bare {
    /// Where it answers.
    pub base_url: String,
    _child: Child,
}

impl Bare {
    /// Starts it.
    pub async fn start(program: &Path) -> Self {
        let mut command = Command::new(program);
        let mut child = command.arg("bare").stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next_line().await.unwrap();
        Self { base_url: line.expect("the bare server says where it is"), _child: child }
    }
}
