"""DA: how samples become batches on the device."""
