"""Takes samples: workers in lockstep, their environment, statistics, history and evidence."""
