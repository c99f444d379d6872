"""What an episode is: a window of a series, its context, the actions on it, and their reward."""
