"""Opens the three stores (lake, arrays, SQL); portable engine functions; outbox. Knows no business table."""
