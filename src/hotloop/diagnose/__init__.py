"""Where the time of a training program goes: probes in the running program, one file each."""
