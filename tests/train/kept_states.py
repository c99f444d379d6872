"""A recorder for tests: it keeps the state after each epoch or update."""


class Kept:
    """Keeps the state after each epoch; begins with the one it is given."""

    def __init__(self, state=None):
        self.state, self.states = state, []

    def begin(self):
        return self.state

    def keep(self, state):
        self.states.append(state.checkpoint())
