"""Actor-critics by name, one a file: `hotloop.models.create` makes them."""
