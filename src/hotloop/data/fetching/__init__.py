"""Other ways to fetch what a DataLoader's own data set gives: the same batches, each way held against the plain one."""
