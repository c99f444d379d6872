"""Networks and their parts by name, one a file; nothing here is imported before it is asked for.

`create`, `names`, `register` and `unregister` are the registry of actor-critics, which all keep one protocol.
"""

from hotloop.models.policy.registration import create, names, register, unregister

__all__ = ["create", "names", "register", "unregister"]
