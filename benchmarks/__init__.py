"""What was measured, and the scripts that measure it. ``make bench`` runs them all."""
