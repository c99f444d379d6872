"""SY: where the host waits for the device, and copies to it."""
