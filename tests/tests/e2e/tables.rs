//! The schema, as the database itself describes it.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Text},
};
use serde_json::json;
use tallyback_tests::{TestApp, TestDatabase};
use tokio_postgres::{Client, NoTls};

/// What belongs to no partner: the installation, the tenants, and the two directories that lead to a tenant.
const WITHOUT_PARTNER: [&str; 5] =
    ["__diesel_schema_migrations", "installation", "key_directory", "link_directory", "partners"];
const CORE: [&str; 25] = [
    "currency_rates",
    "customer_bindings",
    "goal_counts",
    "leads",
    "adjustments",
    "advertisers",
    "api_keys",
    "campaigns",
    "click_counts",
    "clicks",
    "conversions",
    "creatives",
    "goals",
    "impressions",
    "hourly_totals",
    "links",
    "outbox",
    "partners",
    "postbacks",
    "publishers",
    "reruns",
    "signing_keys",
    "total_deltas",
    "users",
    "installation",
];

#[derive(QueryableByName)]
struct Index {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    first_column: String,
}

const OF_SQLITE: &str = "SELECT tables.name AS table_name, columns.name AS first_column
    FROM sqlite_master AS tables, pragma_index_list(tables.name) AS indexes, pragma_index_info(indexes.name) AS columns
    WHERE tables.type = 'table' AND columns.seqno = 0";
const OF_POSTGRES: &str = "SELECT tables.relname AS table_name, columns.attname AS first_column
    FROM pg_index JOIN pg_class AS tables ON tables.oid = indrelid
    JOIN pg_attribute AS columns ON columns.attrelid = indrelid AND columns.attnum = indkey[0]
    WHERE tables.relnamespace = 'public'::regnamespace AND NOT tables.relispartition";

async fn postgres(database: &TestDatabase) -> Client {
    let (client, connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// The answer of a query for one `number`.
pub async fn number(database: &TestDatabase, query: &str) -> i64 {
    if database.is_postgres() {
        return postgres(database).await.query_one(query, &[]).await.unwrap().get(0);
    }
    sql_query(query).get_result::<Number>(&mut sqlite(database)).unwrap().number
}

fn sqlite(database: &TestDatabase) -> SqliteConnection {
    SqliteConnection::establish(database.url.trim_start_matches("sqlite:")).unwrap()
}

/// The first column of each index, primary keys included, by table.
async fn indexes(database: &TestDatabase) -> BTreeMap<String, BTreeSet<String>> {
    let rows: Vec<Index> = if database.is_postgres() {
        let rows = postgres(database).await.query(OF_POSTGRES, &[]).await.unwrap();
        rows.iter().map(|row| Index { table_name: row.get(0), first_column: row.get(1) }).collect()
    } else {
        sql_query(OF_SQLITE).load(&mut sqlite(database)).unwrap()
    };
    let mut indexes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        indexes.entry(row.table_name).or_default().insert(row.first_column);
    }
    indexes
}

#[tokio::test(flavor = "multi_thread")]
async fn the_partner_leads_every_key() {
    let app = TestApp::start().await;
    let indexes = indexes(&app.database).await;
    for table in CORE {
        assert!(indexes.contains_key(table), "{table} is not there, or has no key: {indexes:#?}");
    }
    for (table, columns) in indexes.iter().filter(|(table, _)| !WITHOUT_PARTNER.contains(&table.as_str())) {
        assert_eq!(columns, &BTreeSet::from(["partner_id".to_owned()]), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grows_is_partitioned_by_time() {
    let app = TestApp::start().await;
    let acme = app.acme().await;
    let click_id = acme.click().await;
    acme.sdk().record(&tallyback_tests::Acme::sale(&click_id, "A-1")).await.unwrap();
    acme.agency.make("/v1/impressions", json!({"link": acme.link["id"]})).await;
    if !app.database.is_postgres() {
        return;
    }
    let client = postgres(&app.database).await;
    for table in ["clicks", "impressions", "postbacks"] {
        let kind = client.query_one("SELECT pg_get_partkeydef($1::text::regclass)", &[&table]).await.unwrap();
        assert_eq!(kind.get::<_, String>(0), "RANGE (id)", "{table}");
        let all = format!("SELECT count(*) FROM {table}");
        let left_over = format!("SELECT count(*) FROM {table}_default");
        assert_eq!(client.query_one(&all, &[]).await.unwrap().get::<_, i64>(0), 1);
        assert_eq!(
            client.query_one(&left_over, &[]).await.unwrap().get::<_, i64>(0),
            0,
            "{table}: the month has a partition"
        );
    }
}
