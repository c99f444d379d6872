"""Base against head: two revisions, or two installations, of one program; limits, bisection, texts for CI."""
