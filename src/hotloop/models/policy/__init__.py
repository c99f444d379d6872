"""What actor-critics share: the protocol, masks, distributions of actions, towers, and how models are registered."""
