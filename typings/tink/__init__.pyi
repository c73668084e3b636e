from typing import TypeVar

from tink import aead as aead
from tink import json_proto_keyset_format as json_proto_keyset_format
from tink import secret_key_access as secret_key_access

_P = TypeVar("_P")

class TinkError(Exception): ...

class KeysetInfo:
    primary_key_id: int

class KeysetHandle:
    def keyset_info(self) -> KeysetInfo: ...
    def primitive(self, primitive_class: type[_P]) -> _P: ...

def new_keyset_handle(key_template: object) -> KeysetHandle: ...
