"""Where candidates are evaluated: in this process, in a pool of processes, or by Dask."""
