"""All relation kinds in one graph: kernels, paths, control, groups."""
