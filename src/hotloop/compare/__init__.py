"""Arms measured in lockstep: replicates, comparisons, and what they allow to be said."""
