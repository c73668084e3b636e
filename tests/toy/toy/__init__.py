"""SQLite, as a toy: a whole dialect in one folder, to show that nothing else has to know of it.

Driver: sqlite3 (of Python itself). Login: none. Limits: files only below the directory that the operator allows;
columns take their types from the first rows. Source: https://docs.python.org/3/library/sqlite3.html.

It imports its own files relatively, since the tests copy it to other names.
"""
