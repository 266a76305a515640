//! What servers of one PostgreSQL say to each other through it, over a connection that is for that alone: who is there, which
//! machines are connected to whom, what has changed, and who does what is done by the clock.

use super::connect::POSTGRES;
use crate::database::Place;
use sqlx::{
    AnyConnection, AssertSqlSafe, Connection, FromRow,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use xenoboot_wire::{Digest, MachineKey};

/// Where news is called out.
const CHANNEL: &str = "xenoboot";
/// Who has this lock leads: `xenolead` in ASCII.
const LEAD: i64 = 0x7865_6e6f_6c65_6164;
/// The database's clock, milliseconds since 1970.
const NOW: &str = "CAST(EXTRACT(EPOCH FROM CLOCK_TIMESTAMP()) * 1000 AS BIGINT)";
/// A server that says nothing for so long is gone, milliseconds.
const GONE_MS: i64 = 10_000;
/// And after that its row goes.
const FORGET_MS: i64 = 60_000;

/// Another server that is there, with the same keys.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct ServerRow {
    pub(crate) id: i64,
    pub(crate) address: String,
    pub(crate) changed: i64,
}

/// A server's place among those of the database, as long as the connection lasts.
pub(crate) struct Membership {
    database: AnyConnection,
    /// Its own number.
    pub(crate) id: i64,
    keys: String,
}

impl Membership {
    /// Connects and enters the server; without an `address`, as the one from which the database is reached.
    pub(crate) async fn begin(
        place: &Place,
        address: Option<&str>,
        port: u16,
        keys: &Digest,
    ) -> sqlx::Result<Self> {
        let mut database = AnyConnection::connect_with(&place.options).await?;
        sqlx::raw_sql(POSTGRES).execute(&mut database).await?;
        let from = "SELECT COALESCE(HOST(INET_CLIENT_ADDR()), '127.0.0.1')";
        let address = match address {
            Some(address) => address.to_owned(),
            None => {
                let host: String = sqlx::query_scalar(from).fetch_one(&mut database).await?;
                if host.contains(':') {
                    format!("[{host}]:{port}")
                } else {
                    format!("{host}:{port}")
                }
            }
        };
        let enter = format!(
            "INSERT INTO servers (address, keys, seen_ms) VALUES ($1, $2, {NOW}) RETURNING id"
        );
        let enter = sqlx::query_scalar(AssertSqlSafe(enter)).bind(address).bind(keys.to_string());
        let id = enter.fetch_one(&mut database).await?;
        Ok(Self { database, id, keys: keys.to_string() })
    }

    /// Says that the server is there; false when the others have given it up.
    pub(crate) async fn beat(&mut self) -> sqlx::Result<bool> {
        let forget = format!("DELETE FROM servers WHERE seen_ms < {NOW} - $1");
        let forget = sqlx::query(AssertSqlSafe(forget)).bind(FORGET_MS);
        forget.execute(&mut self.database).await?;
        let beat = format!("UPDATE servers SET seen_ms = {NOW} WHERE id = $1");
        let beat = sqlx::query(AssertSqlSafe(beat)).bind(self.id);
        Ok(beat.execute(&mut self.database).await?.rows_affected() > 0)
    }

    /// The others that are there.
    pub(crate) async fn others(&mut self) -> sqlx::Result<Vec<ServerRow>> {
        let others = format!(
            "SELECT id, address, changed FROM servers WHERE id <> $1 AND seen_ms > {NOW} - $2 AND keys = $3 ORDER BY id"
        );
        let others = sqlx::query_as(AssertSqlSafe(others)).bind(self.id).bind(GONE_MS);
        others.bind(&self.keys).fetch_all(&mut self.database).await
    }

    /// The machines that are connected to a server.
    pub(crate) async fn connected_to(&mut self, server: i64) -> sqlx::Result<Vec<MachineKey>> {
        let keys = sqlx::query_scalar("SELECT key FROM connections WHERE server = $1");
        let keys: Vec<String> = keys.bind(server).fetch_all(&mut self.database).await?;
        Ok(keys.iter().filter_map(|key| key.parse().ok()).collect())
    }

    /// Says which machines have connected to this server, and whose connections have ended.
    pub(crate) async fn connections(
        &mut self,
        new: &[&MachineKey],
        ended: &[&MachineKey],
    ) -> sqlx::Result<()> {
        let json = |keys: &[&MachineKey]| {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            serde_json::Value::from(keys).to_string()
        };
        let mut tx = self.database.begin().await?;
        let add = sqlx::query(
            "INSERT INTO connections (server, key) SELECT $1, JSON_ARRAY_ELEMENTS_TEXT($2::json) ON CONFLICT DO NOTHING",
        );
        add.bind(self.id).bind(json(new)).execute(&mut *tx).await?;
        let remove = sqlx::query(
            "DELETE FROM connections WHERE server = $1 AND key IN (SELECT JSON_ARRAY_ELEMENTS_TEXT($2::json))",
        );
        remove.bind(self.id).bind(json(ended)).execute(&mut *tx).await?;
        let changed = sqlx::query("UPDATE servers SET changed = changed + 1 WHERE id = $1");
        changed.bind(self.id).execute(&mut *tx).await?;
        tx.commit().await
    }

    /// Calls out, to all that listen.
    pub(crate) async fn call_out(&mut self, text: &str) -> sqlx::Result<()> {
        let call = sqlx::query("SELECT 1 FROM PG_NOTIFY($1, $2)").bind(CHANNEL);
        call.bind(text).execute(&mut self.database).await.map(drop)
    }

    /// Whether this is the one that leads now. It does until the connection ends.
    pub(crate) async fn lead(&mut self) -> sqlx::Result<bool> {
        let lock =
            sqlx::query_scalar("SELECT CASE WHEN PG_TRY_ADVISORY_LOCK($1) THEN 1 ELSE 0 END");
        let got: i64 = lock.bind(LEAD).fetch_one(&mut self.database).await?;
        Ok(got != 0)
    }
}

/// Listens to what is called out; hears everything from now on, until the connection ends.
pub(crate) async fn listener(place: &Place) -> sqlx::Result<PgListener> {
    use sqlx::ConnectOptions;
    let options = PgConnectOptions::from_url(&place.options.database_url)?;
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Where a server is that uses the database with other keys, if there is one.
pub(crate) async fn stranger(place: &Place, keys: &Digest) -> sqlx::Result<Option<String>> {
    let mut database = AnyConnection::connect_with(&place.options).await?;
    let stranger = format!(
        "SELECT address FROM servers WHERE keys <> $1 AND seen_ms > {NOW} - $2 ORDER BY id LIMIT 1"
    );
    let stranger = sqlx::query_scalar(AssertSqlSafe(stranger)).bind(keys.to_string()).bind(GONE_MS);
    let stranger = stranger.fetch_optional(&mut database).await?;
    database.close().await?;
    Ok(stranger)
}

/// Takes a server out of the list.
pub(crate) async fn leave(place: &Place, id: i64) -> sqlx::Result<()> {
    let mut database = AnyConnection::connect_with(&place.options).await?;
    let leave = sqlx::query("DELETE FROM servers WHERE id = $1").bind(id);
    leave.execute(&mut database).await?;
    database.close().await
}
