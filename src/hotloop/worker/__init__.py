"""Both ends of the socket: the process that trains under one plan, and the handle that its parent holds."""
