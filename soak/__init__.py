"""Long trials of what must hold under any circumstances: ``python -m soak`` (``make soak``). No part of the product."""
