"""Where the time of a training program goes: rules read from the source, and spies in the running program."""
