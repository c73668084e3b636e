# What we use of google-cloud-bigquery: its own annotations leave most of it unknown, and no retry cannot be said.
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import requests
from google.auth.credentials import Credentials

class SchemaField:
    name: str
    field_type: str
    mode: str
    fields: Sequence[SchemaField]
    range_element_type: Any

class Row:
    def values(self) -> tuple[Any, ...]: ...

class DatasetReference:
    project: str
    dataset_id: str
    @classmethod
    def from_string(cls, dataset_id: str, default_project: str | None = None) -> DatasetReference: ...

class DatasetListItem:
    dataset_id: str
    _properties: Mapping[str, Any]

class TableReference:
    project: str
    dataset_id: str
    table_id: str
    def to_bqstorage(self) -> str: ...

class Project:
    project_id: str

class ConnectionProperty:
    def __init__(self, key: str = "", value: str = "") -> None: ...

class ScalarQueryParameter:
    def __init__(self, name: str | None, type_: str, value: Any) -> None: ...

class ArrayQueryParameter:
    def __init__(self, name: str | None, array_type: str, values: Sequence[Any]) -> None: ...

class QueryJobConfig:
    dry_run: bool
    use_query_cache: bool
    default_dataset: DatasetReference
    maximum_bytes_billed: int
    def __init__(self, **settings: Any) -> None: ...

class RowIterator:
    schema: Sequence[SchemaField]
    total_rows: int
    def __iter__(self) -> Iterator[Row]: ...
    def to_arrow_iterable(self) -> Iterator[pa.RecordBatch]: ...

class QueryJob:
    project: str
    statement_type: str | None
    total_bytes_processed: int | None
    referenced_tables: Sequence[TableReference]
    destination: TableReference
    def result(self, page_size: int | None = None, *, job_retry: None = None) -> RowIterator: ...

class Client:
    project: str
    def __init__(
        self,
        project: str,
        credentials: Credentials,
        _http: requests.Session,
        location: str | None,
        *,
        client_options: Mapping[str, str],
    ) -> None: ...
    def query(
        self,
        query: str,
        job_config: QueryJobConfig | None = None,
        job_id: str | None = None,
        *,
        retry: None,
        job_retry: None,
        timeout: float | None = None,
    ) -> QueryJob: ...
    def cancel_job(self, job_id: str, *, retry: None, timeout: float) -> object: ...
    def get_dataset(self, dataset_ref: DatasetReference, *, retry: None, timeout: float) -> object: ...
    def list_datasets(self, project: str, *, retry: None) -> Iterable[DatasetListItem]: ...
    def list_projects(self, *, retry: None) -> Iterable[Project]: ...
