"""What the strategy `ppo` trains on: environments, rollouts in a buffer on the device, advantages, and the run."""
