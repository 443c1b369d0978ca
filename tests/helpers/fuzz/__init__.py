"""A fuzzer of every reader of files that others may have written: `make fuzz`.

`cases` makes small folders that are read well and says which commands read them; `mutations` damages one file; `server`
runs the commands in forked processes with limits; `campaign` looks for what must not be: a traceback, an exit code
other than 0 and 2, more than 10 s, more than 1 GiB.
"""
