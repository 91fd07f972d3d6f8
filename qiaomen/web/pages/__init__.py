"""One module per page: a typed view, the function that computes it, and its addresses. Templates only show."""
