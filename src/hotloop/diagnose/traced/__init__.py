"""The dynamic half: an unmodified program runs in a child process, first timed, then under one spy after another."""
