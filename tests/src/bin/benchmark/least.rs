//! The least server that answers after its commit: actix-web, a queue, a writer, and rows as long as ours. It reads no
//! parameter, looks nothing up, decides and counts nothing: what it cannot do in a second, no tracker on these libraries
//! and this database can.

use std::{
    array::from_ref,
    marker::PhantomData,
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::available_parallelism,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    http::header::{ContentType, LOCATION},
    web::{self, Bytes, Data},
};
use aws_lc_rs::hmac;
use diesel::{
    Connection, QueryResult, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{Binary, Text},
    sqlite::Sqlite,
};
use tallyback_server::clock;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::{Mutex, mpsc, oneshot},
};
use tokio_postgres::{Client, NoTls};

/// Requests in one transaction at most, and waiting: as in the server.
const BATCH: usize = 400;
const QUEUE: usize = 4_096;
/// Rows in one statement on SQLite.
const MANY: usize = 32;
/// Writers on PostgreSQL: as in the server.
const POSTGRES_WRITERS: usize = 2;
/// About what the server writes for a click, for a conversion, and for its line of the log: bytes beside the keys.
const CLICK: usize = 250;
const CONVERSION: usize = 290;
const LINE: usize = 600;
/// The largest body that is taken, in bytes.
const LARGEST_BODY: usize = 1024 * 1024;
/// The answer to a postback, in bytes.
const ANSWER: usize = 280;

const SQLITE: &str = "
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -4096;
    CREATE TABLE clicks (id BLOB PRIMARY KEY, row TEXT NOT NULL) STRICT;
    CREATE TABLE conversions (id BLOB PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, row TEXT NOT NULL) STRICT;
    CREATE TABLE lines (id BLOB PRIMARY KEY, row TEXT NOT NULL) STRICT;";
const POSTGRES: &str = "
    CREATE TABLE clicks (id BYTEA PRIMARY KEY, row TEXT NOT NULL);
    CREATE TABLE conversions (id BYTEA PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, row TEXT NOT NULL);
    CREATE TABLE lines (id BYTEA PRIMARY KEY, row TEXT NOT NULL);";
const INSERT_CLICKS: &str = "INSERT INTO clicks SELECT unnest($1::BYTEA[]), unnest($2::TEXT[])";
const INSERT_POSTBACKS: &str = "
    WITH counted AS (INSERT INTO conversions SELECT unnest($1::BYTEA[]), unnest($2::TEXT[]), unnest($3::TEXT[]))
    INSERT INTO lines SELECT unnest($1::BYTEA[]), unnest($4::TEXT[])";

/// What a request wants to be kept.
enum Kept {
    Click { id: Vec<u8>, row: String },
    Postback { id: Vec<u8>, order: String, conversion: String, line: String },
}

type Queued = (Kept, oneshot::Sender<()>);

#[derive(Clone)]
struct Least {
    clicks: mpsc::Sender<Queued>,
    postbacks: mpsc::Sender<Queued>,
}

/// Serves until it is killed, on an empty database.
pub async fn serve(url: &str) -> std::io::Result<()> {
    let (clicks, click_queue) = mpsc::channel(QUEUE);
    let (postbacks, postback_queue) = mpsc::channel(QUEUE);
    match url.strip_prefix("sqlite:") {
        Some(path) => {
            connect_sqlite(path).batch_execute(SQLITE).unwrap();
            for queue in [click_queue, postback_queue] {
                let conn = connect_sqlite(path);
                std::thread::spawn(move || write_to_sqlite(conn, queue));
            }
        }
        None => {
            connect_postgres(url).await.batch_execute(POSTGRES).await.unwrap();
            for queue in [click_queue, postback_queue] {
                let queue = Arc::new(Mutex::new(queue));
                for _ in 0..POSTGRES_WRITERS {
                    tokio::spawn(write_to_postgres(connect_postgres(url).await, queue.clone()));
                }
            }
        }
    }
    let least = Data::new(Least { clicks, postbacks });
    let app = move || {
        let batches = web::resource("/v1/conversions/batch").to(batch);
        let postbacks = web::resource("/v1/{_:.*}").to(postback);
        let app = App::new().app_data(least.clone()).app_data(web::PayloadConfig::new(LARGEST_BODY));
        app.service(batches).service(postbacks).default_service(web::to(click))
    };
    let server = HttpServer::new(app).workers(available_parallelism()?.get()).bind("127.0.0.1:0")?;
    println!("http://{}", server.addrs()[0]);
    server.run().await
}

async fn click(request: HttpRequest, least: Data<Least>) -> HttpResponse {
    let row = padded(request.query_string(), CLICK);
    is_kept(keep(&least.clicks, Kept::Click { id: id(next()), row }).await).await;
    HttpResponse::Found().insert_header((LOCATION, "https://shop.example/sale?kcid=0123456789")).finish()
}

async fn postback(request: HttpRequest, body: Bytes, least: Data<Least>) -> HttpResponse {
    let sent = if body.is_empty() { request.query_string().as_bytes() } else { &body };
    is_kept(keep_postback(&least, sent, is_signed(sent)).await).await;
    HttpResponse::Created().content_type(ContentType::json()).body(padded("", ANSWER))
}

/// Many of them, each in a line.
async fn batch(body: Bytes, least: Data<Least>) -> HttpResponse {
    let (is_signed, mut waiting) = (is_signed(&body), Vec::new());
    for line in body.split(|byte| *byte == b'\n') {
        waiting.push(keep_postback(&least, line, is_signed).await);
    }
    let answer = padded("", ANSWER).repeat(waiting.len());
    for written in waiting {
        is_kept(written).await;
    }
    HttpResponse::Ok().content_type(ContentType::json()).body(answer)
}

fn is_signed(sent: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]), sent, &[0; 32]).is_ok()
}

async fn keep_postback(least: &Least, sent: &[u8], is_signed: bool) -> oneshot::Receiver<()> {
    let text = std::str::from_utf8(sent).unwrap_or_default();
    let (conversion, line) = (padded(text, CONVERSION), padded(text, LINE));
    let number = next();
    let order = format!("order:B-{number}-{is_signed}");
    keep(&least.postbacks, Kept::Postback { id: id(number), order, conversion, line }).await
}

fn next() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// In the order of time, like ours.
fn id(number: u64) -> Vec<u8> {
    number.to_be_bytes().into_iter().chain(clock::random::<8>()).collect()
}

fn padded(text: &str, length: usize) -> String {
    format!("{text:.<length$.length$}")
}

async fn keep(queue: &mpsc::Sender<Queued>, kept: Kept) -> oneshot::Receiver<()> {
    let (reply, written) = oneshot::channel();
    queue.send((kept, reply)).await.expect("the writer runs");
    written
}

async fn is_kept(written: oneshot::Receiver<()>) {
    written.await.expect("it is written");
}

fn connect_sqlite(path: &str) -> SqliteConnection {
    let mut conn = SqliteConnection::establish(path).unwrap();
    let settings = "PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL; PRAGMA cache_size = -4096;";
    conn.batch_execute(settings).unwrap();
    conn
}

fn write_to_sqlite(mut conn: SqliteConnection, mut queue: mpsc::Receiver<Queued>) {
    let mut batch = Vec::new();
    while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
        conn.immediate_transaction(|conn| insert_all(conn, &batch)).unwrap();
        batch.drain(..).for_each(|(_, reply)| reply.send(()).unwrap_or_default());
    }
}

fn insert_all(conn: &mut SqliteConnection, batch: &[Queued]) -> QueryResult<()> {
    if let [(Kept::Click { .. }, _), ..] = batch {
        return insert::<Clicks>(conn, batch);
    }
    insert::<Conversions>(conn, batch)?;
    insert::<Lines>(conn, batch)
}

/// Inserts rows of one table, many with one statement where there are so many: as in the server.
fn insert<T: Table>(conn: &mut SqliteConnection, batch: &[Queued]) -> QueryResult<()> {
    let (many, few) = batch.as_chunks::<MANY>();
    many.iter().try_for_each(|rows| Values::<T, MANY>(rows, PhantomData).execute(conn).map(drop))?;
    few.iter().try_for_each(|row| Values::<T, 1>(from_ref(row), PhantomData).execute(conn).map(drop))
}

/// A table, and what of a request it holds.
trait Table: 'static {
    const INSERT: &str;

    fn bind<'b>(kept: &'b Kept, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()>;
}

struct Clicks;
struct Conversions;
struct Lines;

impl Table for Clicks {
    const INSERT: &str = "INSERT INTO clicks VALUES ";

    fn bind<'b>(kept: &'b Kept, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let Kept::Click { id, row } = kept else { return Ok(()) };
        out.push_bind_param::<Binary, _>(id)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(row)
    }
}

impl Table for Conversions {
    const INSERT: &str = "INSERT INTO conversions VALUES ";

    fn bind<'b>(kept: &'b Kept, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let Kept::Postback { id, order, conversion, .. } = kept else { return Ok(()) };
        out.push_bind_param::<Binary, _>(id)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(order)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(conversion)
    }
}

impl Table for Lines {
    const INSERT: &str = "INSERT INTO lines VALUES ";

    fn bind<'b>(kept: &'b Kept, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let Kept::Postback { id, line, .. } = kept else { return Ok(()) };
        out.push_bind_param::<Binary, _>(id)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(line)
    }
}

/// A statement whose text is fixed.
struct Values<'a, T, const N: usize>(&'a [Queued; N], PhantomData<T>);

impl<T: Table, const N: usize> QueryId for Values<'_, T, N> {
    type QueryId = Values<'static, T, N>;
}

impl<T: Table, const N: usize> QueryFragment<Sqlite> for Values<'_, T, N> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(T::INSERT);
        let mut before = "(";
        for (kept, _) in self.0 {
            out.push_sql(before);
            T::bind(kept, &mut out)?;
            before = "), (";
        }
        out.push_sql(")");
        Ok(())
    }
}

impl<T, C, const N: usize> RunQueryDsl<C> for Values<'_, T, N> {}

async fn connect_postgres(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn write_to_postgres(client: Client, queue: Arc<Mutex<mpsc::Receiver<Queued>>>) {
    let insert_clicks = client.prepare(INSERT_CLICKS).await.unwrap();
    let insert_postbacks = client.prepare(INSERT_POSTBACKS).await.unwrap();
    let mut batch = Vec::new();
    while queue.lock().await.recv_many(&mut batch, BATCH).await > 0 {
        let (mut ids, mut orders, mut rows, mut lines) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (kept, _) in &batch {
            match kept {
                Kept::Click { id, row } => {
                    ids.push(id);
                    rows.push(row);
                }
                Kept::Postback { id, order, conversion, line } => {
                    ids.push(id);
                    orders.push(order);
                    rows.push(conversion);
                    lines.push(line);
                }
            }
        }
        let written = match lines.is_empty() {
            true => client.execute(&insert_clicks, &[&ids, &rows]).await,
            false => client.execute(&insert_postbacks, &[&ids, &orders, &rows, &lines]).await,
        };
        written.unwrap();
        batch.drain(..).for_each(|(_, reply)| reply.send(()).unwrap_or_default());
    }
}

/// This program as the least server, in a process of its own.
pub struct LeastServer {
    /// Where it answers.
    pub base_url: String,
    _child: Child,
}

impl LeastServer {
    /// Starts it on an empty database.
    pub async fn start(program: &Path, database: &str) -> Self {
        let mut command = Command::new(program);
        let command = command.args(["least", database]).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next_line().await.unwrap();
        Self { base_url: line.expect("the least server says where it is"), _child: child }
    }
}
