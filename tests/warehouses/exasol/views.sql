-- What Moorings asks of Exasol's system tables, over DuckDB's own catalog.
CREATE SCHEMA app;
CREATE SCHEMA closed;
CREATE SCHEMA sys;

CREATE VIEW sys.exa_schemas AS
SELECT schema_name, 'MOORINGS' AS schema_owner FROM duckdb_schemas()
WHERE database_name = 'memory' AND schema_name <> 'sys';

CREATE VIEW sys.exa_all_tables AS
SELECT schema_name AS table_schema, table_name, comment AS table_comment, estimated_size AS table_row_count
FROM duckdb_tables() WHERE NOT temporary;

CREATE VIEW sys.exa_all_views AS
SELECT schema_name AS view_schema, view_name, comment AS view_comment
FROM duckdb_views() WHERE NOT internal AND schema_name <> 'sys';

CREATE VIEW sys.exa_all_object_sizes AS
SELECT schema_name AS root_name, table_name AS object_name, 'TABLE' AS object_type, estimated_size * 8 AS raw_object_size,
    estimated_size * 2 AS mem_object_size
FROM duckdb_tables();

CREATE VIEW sys.exa_all_columns AS
SELECT schema_name AS column_schema, table_name AS column_table, column_name, column_index AS column_ordinal_position,
    CASE data_type WHEN 'INTEGER' THEN 'DECIMAL(10,0)' WHEN 'BIGINT' THEN 'DECIMAL(19,0)'
        WHEN 'VARCHAR' THEN 'VARCHAR(2000000) UTF8' WHEN 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP(3) WITH LOCAL TIME ZONE'
        ELSE data_type END AS column_type,
    is_nullable AS column_is_nullable, comment AS column_comment
FROM duckdb_columns() WHERE schema_name NOT IN ('sys', 'information_schema', 'pg_catalog');

CREATE VIEW sys.exa_all_constraint_columns AS
SELECT schema_name AS constraint_schema, table_name AS constraint_table, constraint_type, constraint_name,
    unnest(constraint_column_names) AS column_name, generate_subscripts(constraint_column_names, 1) AS ordinal_position,
    schema_name AS referenced_schema, referenced_table, unnest(referenced_column_names) AS referenced_column
FROM duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY');

CREATE VIEW sys.exa_all_objects AS
SELECT schema_name AS root_name, table_name AS object_name FROM duckdb_tables()
WHERE schema_name <> getvariable('barred');
