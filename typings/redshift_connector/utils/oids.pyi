from enum import IntEnum

class RedshiftOID(IntEnum):
    BOOLEAN = 16
    BIGINT = 20
    SMALLINT = 21
    INTEGER = 23
    OID = 26
    REAL = 700
    FLOAT = 701
    TIMESTAMP = 1114
    TIMESTAMPTZ = 1184
