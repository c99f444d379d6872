"""`hotloop history`: what past sessions measured, listed, drawn, searched for changes, moved and thinned out."""
