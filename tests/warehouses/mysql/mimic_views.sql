-- What Moorings asks of the information_schema of StarRocks, over DuckDB's own catalog.
-- A schema `lake.sales` is the database `sales` of the catalog `lake`.
CREATE SCHEMA app;
CREATE SCHEMA closed;
CREATE SCHEMA mimic;
CREATE SCHEMA "lake.sales";
CREATE TABLE "lake.sales".orders (id INTEGER, amount DECIMAL(10, 2));

CREATE MACRO numbers(many) AS TABLE SELECT i FROM range(1, many + 1) AS t(i);

CREATE VIEW mimic.catalogs AS SELECT unnest(['default_catalog', 'lake', 'void']) AS name;

CREATE MACRO mimic.of_catalog(schema_name) AS
CASE coalesce(getvariable('catalog'), 'default_catalog')
    WHEN 'default_catalog' THEN NOT contains(schema_name, '.')
    ELSE starts_with(schema_name, getvariable('catalog') || '.')
END;

CREATE VIEW mimic.tables AS
SELECT split_part(schema_name, '.', -1) AS table_schema, table_name, 'BASE TABLE' AS table_type,
    coalesce(comment, '') AS table_comment, estimated_size AS table_rows, estimated_size * 8 AS data_length
FROM duckdb_tables() WHERE NOT temporary AND mimic.of_catalog(schema_name)
UNION ALL
SELECT split_part(schema_name, '.', -1), view_name, 'VIEW', '', NULL, NULL
FROM duckdb_views() WHERE NOT internal AND schema_name <> 'mimic' AND mimic.of_catalog(schema_name);

CREATE VIEW mimic.columns AS
SELECT split_part(c.schema_name, '.', -1) AS table_schema, c.table_name, column_name,
    column_index AS ordinal_position,
    CASE WHEN data_type LIKE 'DECIMAL%' THEN lower(data_type) WHEN data_type = 'TIMESTAMP' THEN 'datetime'
        WHEN data_type = 'INTEGER' THEN 'int' ELSE lower(data_type) END AS column_type,
    CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable, coalesce(comment, '') AS column_comment,
    split_part(CASE WHEN data_type = 'TIMESTAMP' THEN 'datetime' WHEN data_type = 'INTEGER' THEN 'int'
        ELSE lower(data_type) END, '(', 1) AS data_type,
    CASE WHEN data_type LIKE 'DECIMAL%' THEN numeric_precision END AS numeric_precision,
    CASE WHEN data_type LIKE 'DECIMAL%' THEN numeric_scale END AS numeric_scale,
    CASE WHEN list_contains(k.constraint_column_names, column_name) THEN 'PRI' ELSE '' END AS column_key
FROM duckdb_columns() c LEFT JOIN duckdb_constraints() k
    ON k.table_oid = c.table_oid AND k.constraint_type = 'PRIMARY KEY'
WHERE mimic.of_catalog(c.schema_name) AND c.schema_name NOT IN ('mimic', 'information_schema', 'pg_catalog');
