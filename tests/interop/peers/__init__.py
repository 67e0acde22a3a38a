"""Real mail and name servers from the distribution's packages, each private to one story."""
