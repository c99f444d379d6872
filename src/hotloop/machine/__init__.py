"""What this machine is: environment, installed libraries, GPUs."""
