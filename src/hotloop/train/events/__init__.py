"""Telemetry: typed events, the stream that they go into, and its sinks."""
