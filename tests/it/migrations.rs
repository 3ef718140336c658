//! Every step of the schema can be taken back, and the schema keeps its house rules.

use std::collections::BTreeSet;
use std::fs;

use migration::{Migrator, MigratorTrait as _};
use souk::app::check_schema;
use souk::infra::db::schema::{SchemaState, migrate_down, migrate_up};

use crate::support::{Kind, Shop};

/// SQLite has no functions.
const ON_POSTGRES_ALONE: [&str; 1] = ["m20261122_000017_place_order_events"];

/// The database's own description of everything in it, line by line, without the migrations' own table.
async fn description(shop: &Shop) -> BTreeSet<String> {
    let sql = match shop.kind {
        Kind::Sqlite => {
            "SELECT type || ' ' || name || ' on ' || tbl_name, coalesce(sql, 'automatic') FROM sqlite_master
             WHERE name NOT LIKE 'sqlite_stat%' AND tbl_name <> 'seaql_migrations'"
        }
        Kind::Postgres => {
            "SELECT 'column ' || c.relname || '.' || a.attname,
                    format_type(a.atttypid, a.atttypmod) || ' not null ' || a.attnotnull
                    || ' default ' || coalesce(pg_get_expr(d.adbin, d.adrelid), 'none') || ' collate ' || a.attcollation
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d
                  ON d.adrelid = c.oid AND d.adnum = a.attnum
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
                   AND NOT a.attisdropped AND c.relname <> 'seaql_migrations'
             UNION ALL
             SELECT 'constraint ' || conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid)
             FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'seaql_migrations'
             UNION ALL
             SELECT 'index ' || indexname, indexdef FROM pg_indexes
             WHERE schemaname = 'public' AND tablename <> 'seaql_migrations'
             UNION ALL
             SELECT 'type ' || typname, typtype::text FROM pg_type
             WHERE typnamespace = 'public'::regnamespace AND typname NOT LIKE '%seaql_migrations'
             UNION ALL
             SELECT 'routine ' || proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
             UNION ALL
             SELECT 'trigger ' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        }
    };
    shop.rows(sql)
        .await
        .into_iter()
        .map(|row| row.join(": "))
        .collect()
}

/// `table.column` of each column that is named after another table's row.
async fn references(shop: &Shop) -> BTreeSet<String> {
    let sql = match shop.kind {
        Kind::Sqlite => {
            "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c
             WHERE m.type = 'table' AND c.name LIKE '%\\_id' ESCAPE '\\'"
        }
        Kind::Postgres => {
            "SELECT table_name || '.' || column_name FROM information_schema.columns
             WHERE table_schema = 'public' AND column_name LIKE '%\\_id'"
        }
    };
    shop.rows(sql).await.into_iter().flatten().collect()
}

/// `table.column` of each foreign key of one column.
async fn foreign_keys(shop: &Shop) -> BTreeSet<String> {
    let sql = match shop.kind {
        Kind::Sqlite => {
            "SELECT m.name || '.' || k.\"from\" FROM sqlite_master m, pragma_foreign_key_list(m.name) k
             WHERE m.type = 'table'"
        }
        Kind::Postgres => {
            "SELECT c.relname || '.' || a.attname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
             JOIN pg_attribute a ON a.attrelid = c.oid AND k.conkey = ARRAY[a.attnum]
             WHERE k.contype = 'f'"
        }
    };
    shop.rows(sql).await.into_iter().flatten().collect()
}

/// `table.column` of each first column of an index that covers every row that has something there.
async fn first_of_an_index(shop: &Shop) -> BTreeSet<String> {
    let sql = match shop.kind {
        Kind::Sqlite => {
            "SELECT m.name || '.' || i.name FROM sqlite_master m, pragma_index_list(m.name) l, pragma_index_info(l.name) i
             WHERE m.type = 'table' AND i.seqno = 0 AND i.name IS NOT NULL AND (NOT l.partial OR EXISTS (SELECT 1 FROM sqlite_master x
                 WHERE x.name = l.name AND x.sql LIKE '% WHERE \"' || i.name || '\" IS NOT NULL'))"
        }
        Kind::Postgres => {
            "SELECT c.relname || '.' || a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
             WHERE c.relnamespace = 'public'::regnamespace AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = '(' || a.attname || ' IS NOT NULL)')"
        }
    };
    shop.rows(sql).await.into_iter().flatten().collect()
}

both! {
    async fn each_step_down_undoes_exactly_its_step_up(shop: &Shop) {
        let db = shop.db();
        let whole = description(shop).await;
        let steps = u32::try_from(Migrator::migrations().len()).unwrap();
        migrate_down(db, steps).await.unwrap();
        assert_eq!(description(shop).await, BTreeSet::new(), "nothing is left at the bottom");

        let writer = sea_orm::Database::connect(shop.url()).await.unwrap();
        let mut below = Vec::new();
        for step in Migrator::migrations() {
            below.push(description(shop).await);
            Migrator::up(&writer, Some(1)).await.unwrap();
            if shop.kind == Kind::Postgres || !ON_POSTGRES_ALONE.contains(&step.name()) {
                assert!(&description(shop).await != below.last().unwrap(), "{} does something", step.name());
            }
        }
        writer.close().await.unwrap();
        assert_eq!(description(shop).await, whole);
        for expected in below.iter().rev() {
            migrate_down(db, 1).await.unwrap();
            assert_eq!(&description(shop).await, expected);
        }
        migrate_up(db).await.unwrap();
        assert_eq!(description(shop).await, whole);
    }

    async fn the_state_tells_what_is_missing_and_what_is_foreign(shop: &Shop) {
        let db = shop.db();
        let state = SchemaState::of(db).await.unwrap();
        assert!(state.is_current(), "{state:?}");
        migrate_down(db, 1).await.unwrap();
        let state = SchemaState::of(db).await.unwrap();
        assert_eq!((state.pending.len(), state.is_current()), (1, false));
        migrate_up(db).await.unwrap();
        shop.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 0)").await.unwrap();
        let state = SchemaState::of(db).await.unwrap();
        assert_eq!((state.unknown, state.pending), (vec!["m29991231_000001_later".to_owned()], vec![]));
    }

    async fn of_many_who_start_on_an_empty_database_one_makes_the_schema(shop: &Shop) {
        let whole = description(shop).await;
        for _ in 0..3 {
            migrate_down(shop.db(), u32::try_from(Migrator::migrations().len()).unwrap()).await.unwrap();
            shop.execute("DROP TABLE seaql_migrations").await.unwrap();
            let mut instances = Vec::new();
            for _ in 0..4 {
                instances.push(shop.beside(&[]).await);
            }
            let starts = instances.iter().map(|instance| check_schema(instance.db(), true));
            for start in futures_util::future::join_all(starts).await {
                start.unwrap();
            }
            assert_eq!(description(shop).await, whole);
            for instance in instances {
                instance.close().await;
            }
        }
    }

    async fn columns_that_name_another_row_are_keys_with_an_index(shop: &Shop) {
        let references = references(shop).await;
        assert!(references.contains("product_variant.product_id"), "{references:?}");
        let keys = foreign_keys(shop).await;
        let without_key: Vec<_> = references.difference(&keys).collect();
        assert_eq!(without_key, Vec::<&String>::new(), "have no foreign key");
        let indexed = first_of_an_index(shop).await;
        let without_index: Vec<_> = keys.difference(&indexed).collect();
        assert_eq!(without_index, Vec::<&String>::new(), "have no index that starts with them");
    }

    async fn the_house_rules_would_notice(shop: &Shop) {
        shop.execute("CREATE TABLE stray (id integer PRIMARY KEY, product_id integer, parent_id integer REFERENCES stray (id))")
            .await
            .unwrap();
        let (references, keys) = (references(shop).await, foreign_keys(shop).await);
        let without_key: Vec<_> = references.difference(&keys).collect();
        assert_eq!(without_key, ["stray.product_id"]);
        let indexed = first_of_an_index(shop).await;
        let without_index: Vec<_> = keys.difference(&indexed).collect();
        assert_eq!(without_index, ["stray.parent_id"]);
        assert!(!description(shop).await.is_empty());
    }
}

/// What of a step's text takes something away, or asks for more than the version before it gives.
fn contractions(source: &str) -> Vec<&'static str> {
    const SIGNS: &[&str] = &[
        "drop_table",
        "drop_column",
        "rename_table",
        "rename_column",
        "table::rename",
        "modify_column",
        "drop table",
        "drop column",
        "rename to",
        "rename column",
        "set not null",
    ];
    // Whatever goes down is allowed to.
    let up = source.split("async fn down").next().unwrap_or_default();
    let up: Vec<&str> = up
        .split("\nconst ")
        .filter(|part| !part.split(':').next().unwrap_or_default().ends_with("DOWN"))
        .collect();
    let up = up.join("\nconst ").to_lowercase();
    let mut found: Vec<_> = SIGNS.iter().copied().filter(|sign| up.contains(sign)).collect();
    let strict = |definition: &str| {
        let definition = definition.split([';', '"']).next().unwrap_or_default();
        definition.contains("not null") && !definition.contains("default")
    };
    if up.split("add column").skip(1).any(strict) {
        found.push("add column … not null");
    }
    let built = |call: &str| {
        let call = call
            .split(".add_column")
            .next()
            .unwrap_or_default()
            .split(".to_owned()")
            .next()
            .unwrap_or_default();
        call.contains("not_null()") && !call.contains("default(")
    };
    if up.split("add_column").skip(1).any(built) {
        found.push("add_column … not_null");
    }
    found
}

/// The steps before this one were taken before anything ran side by side.
const FIRST_RELEASED: u32 = 15;

#[test]
fn a_step_that_contracts_says_so() {
    let mut looked = 0;
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migration/src")).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        let number = name
            .split('_')
            .nth(1)
            .and_then(|number| number.parse::<u32>().ok());
        if !name.starts_with('m') || number.is_none() {
            continue;
        }
        looked += 1;
        let found = contractions(&fs::read_to_string(file.path()).unwrap());
        let says_so = name.contains(souk::infra::db::schema::CONTRACTS);
        assert!(
            found.is_empty() || says_so || number < Some(FIRST_RELEASED),
            "{name} must have _contract_ in its name, because of {found:?}: the version before it runs beside it"
        );
    }
    assert!(looked >= 14, "{looked} steps were found");
}

#[test]
fn contractions_are_noticed() {
    for contracts in [
        "manager.drop_table(Table::drop().table(\"cart\").to_owned())",
        "Table::alter().table(\"cart\").drop_column(\"note\")",
        "const POSTGRES_UP: &str = \"ALTER TABLE cart RENAME COLUMN note TO remark\";",
        "ALTER TABLE cart ALTER COLUMN note SET NOT NULL",
        "ALTER TABLE cart ADD COLUMN note text NOT NULL; SELECT 'default'",
        ".add_column(ColumnDef::new(\"note\").text().not_null()).add_column(ColumnDef::new(\"x\").default(1))",
    ] {
        assert_ne!(contractions(contracts), Vec::<&str>::new(), "{contracts}");
    }
    for expands in [
        "manager.create_table(column.text().not_null())\nasync fn down() { drop_table }",
        "\nconst UP: &str = \"CREATE TABLE a (b text NOT NULL)\";\nconst DOWN: &str = \"DROP TABLE a\";\nfn f() {}",
        "ALTER TABLE cart ADD COLUMN note text NOT NULL DEFAULT ''",
        ".add_column(ColumnDef::new(\"note\").text().not_null().default(\"\"))",
        ".add_column(ColumnDef::new(\"note\").text()).to_owned(); index(\"x\").not_null()",
    ] {
        assert_eq!(contractions(expands), Vec::<&str>::new(), "{expands}");
    }
}
