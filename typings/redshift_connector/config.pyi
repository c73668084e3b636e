FC_TEXT: int
FC_BINARY: int
