"""Networks that grow while they train: hosts with slots, seeds in them, and what decides when they grow.

A host is cut into blocks; behind each chosen block is a slot that may hold one seed, a small module that keeps the
shape of what goes through it. A controller decides once an epoch what becomes of the slots. After esper-lite
(tachyon-beep/esper-lite).
"""
